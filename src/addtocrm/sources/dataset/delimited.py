"""CSV as people's programs write it: one broken row costs that row only."""

import csv
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from addtocrm.sources.dataset.text import LONGEST_LINE, lines, opened

MOST_LINES = 1000
"""A quoted field may hold line breaks; a row over more lines, or more than LONGEST_LINE characters, has a quote that
was never closed."""

UNCLOSED = "a quote is never closed, or text follows the closing one"


class Line(NamedTuple):
    """A row: the line that it begins on, its values, and what is wrong with it. Of a broken row the values are those
    of its first line, split whatever its quotes."""

    number: int
    values: list[str]
    error: str | None


class Table(NamedTuple):
    """A file whose header has been read."""

    header: list[str]
    rows: Iterator[Line]
    delimiter: str


def table(binary: BinaryIO) -> Table:
    """A CSV file, separated by commas, semicolons or tabs; bytes that are no text become lone surrogates."""
    csv.field_size_limit(LONGEST_LINE)
    found = lines(opened(binary, newline=""))
    first = next(found, "")
    delimiter = max(",;\t", key=first.count)
    header = next(csv.reader([first], delimiter=delimiter), list[str]())
    return Table(header, _rows(found, delimiter, len(header)), delimiter)


class _Taken:
    """Lines for one row after the other, which can be given back."""

    def __init__(self, source: Iterator[str]) -> None:
        self._source = source
        self._given_back: deque[str] = deque()
        self.lines: list[str] = []
        self._size = 0

    def __iter__(self) -> "_Taken":
        return self

    def __next__(self) -> str:
        line = self._given_back.popleft() if self._given_back else next(self._source)
        self.lines.append(line)
        self._size += len(line)
        if len(self.lines) > MOST_LINES or self._size >= LONGEST_LINE:
            raise csv.Error
        return line

    def next_row(self) -> None:
        self.lines.clear()
        self._size = 0

    def give_back_all_but_first(self) -> None:
        self._given_back.extendleft(reversed(self.lines[1:]))
        del self.lines[1:]


def _rows(source: Iterator[str], delimiter: str, width: int) -> Iterator[Line]:
    """Of a row that is broken, or that has line breaks but not the header's width, only the first line is taken: what
    follows is read as rows of its own."""
    taken = _Taken(source)
    reader = csv.reader(taken, delimiter=delimiter, strict=True)
    number = 2
    while True:
        taken.next_row()
        values: list[str] = []
        error = None
        try:
            values = next(reader)
            if len(taken.lines) > 1 and len(values) != width:
                error = UNCLOSED
        except StopIteration:
            return
        except csv.Error:
            too_long = len(taken.lines[0]) >= LONGEST_LINE
            error = f"the line is longer than {LONGEST_LINE:,} characters" if too_long else UNCLOSED
        if error:
            taken.give_back_all_but_first()
            values = [value.strip('"') for value in taken.lines[0].rstrip("\r\n").split(delimiter)]
        yield Line(number, values, error)
        number += len(taken.lines)
