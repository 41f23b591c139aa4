"""Which columns of a table say who is meant, by what they are mostly called."""

import io
from collections.abc import Iterator, Sequence

from addtocrm.core.cells import without_mark
from addtocrm.core.errors import invalid
from addtocrm.sources.dataset.delimited import Line, Table, table
from addtocrm.sources.dataset.text import storable


def table_of(file: bytes) -> Table:
    """The table in a file that was sent."""
    return table(io.BufferedReader(io.BytesIO(file)))  # type: ignore[arg-type]


def place(header: Sequence[str], option: str, column: str | None, usual: Sequence[str]) -> int | None:
    """Where the column called `column` is, or else the first that has one of the usual names, whatever their case,
    blanks and punctuation; None where none has. Raises ApiError about `option` where none is called `column`."""
    if column:
        names = [name.strip().casefold() for name in header]
        if column.strip().casefold() not in names:
            raise invalid(option, f"there is no column {column}; the file has {listed(header)}.")
        return names.index(column.strip().casefold())
    names = [_bare(name) for name in header]
    return next((names.index(_bare(name)) for name in usual if _bare(name) in names), None)


def _bare(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()


def listed(header: Sequence[str]) -> str:
    """The columns of a file, for a message."""
    return ", ".join(header) or "none"


def text(row: Sequence[str], place: int | None, longest: int) -> str:
    """A row's cell as text that can be stored, at most so many characters, without the mark that our own files have
    before a formula; empty where the row has no such cell."""
    if place is None or place >= len(row):
        return ""
    return without_mark(storable(row[place].strip())).strip()[:longest]


def rows(lines: Iterator[Line], most: int) -> Iterator[Line]:
    """The lines that say something. Raises ApiError for a file of far more lines than `most`, whatever is in them."""
    for count, line in enumerate(lines):
        if count == 10 * most:
            raise invalid("file", f"has too many lines. A file may have {most:,} rows.")
        if any(line.values):
            yield line
