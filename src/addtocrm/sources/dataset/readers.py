"""Files as records: CSV, JSON lines (both also gzipped) and Parquet, read as streams."""

import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from addtocrm.sources.dataset import delimited
from addtocrm.sources.dataset.model import Record, RefusedError
from addtocrm.sources.dataset.text import LONGEST_LINE, lines, opened, storable

SHOWN = 1000
"""Characters of a line that is no record, kept with its reason."""


class Source:
    """An open file: its records, the columns met so far, and how many bytes of it have been read.

    Raises RefusedError, also while the records are read, for a file that cannot be read (further), and where a
    column of `known` is there twice.
    """

    def __init__(self, file: Path, known: Collection[str]) -> None:
        self.columns: set[str] = set()
        self._known = known
        with _refusing():
            if not file.is_file():
                raise RefusedError("It is no file." if file.exists() else "There is no such file.")
            self.size = file.stat().st_size
            self._raw = file.open("rb")
            try:
                self.records = _refused_where_broken(self._reader(file.name.lower()))
            except BaseException:
                self._raw.close()
                raise

    @property
    def bytes_done(self) -> int:
        return self.size if self._raw.closed else self._raw.tell()

    def close(self) -> None:
        self._raw.close()

    def _reader(self, name: str) -> Iterator[Record]:
        kinds: dict[str, Callable[[BinaryIO], Iterator[Record]]] = {
            ".csv": self._csv,
            ".tsv": self._csv,
            ".jsonl": self._json_lines,
            ".ndjson": self._json_lines,
            ".json": self._json_lines,
        }
        read = kinds.get(Path(name.removesuffix(".gz")).suffix)
        if not self._raw.peek(1):
            raise RefusedError("It is empty.")
        if name.endswith(".parquet"):
            return self._parquet(self._raw)
        if read is None:
            raise RefusedError("Its name does not end in .csv, .jsonl, .parquet (or .csv.gz, .jsonl.gz).")
        return read(cast(BinaryIO, gzip.open(self._raw) if name.endswith(".gz") else self._raw))

    def _csv(self, binary: BinaryIO) -> Iterator[Record]:
        table = delimited.table(binary)
        header = self._header(table.header)
        return (_csv_record(header, row) for row in table.rows if row.values)

    def _json_lines(self, binary: BinaryIO) -> Iterator[Record]:
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        for number, line in enumerate(lines(opened(binary, newline="\n")), 1):
            if not line.strip():
                continue
            try:
                if len(line) >= LONGEST_LINE:
                    raise ValueError(f"longer than {LONGEST_LINE:,} characters")
                record = Record(number, len(line), decode(line))
            except (ValueError, RecursionError) as error:
                reason = "it holds bytes that are no text" if isinstance(error, UnicodeError) else str(error)
                yield Record(number, SHOWN, {"": line[:SHOWN].strip()}, f"no JSON object: {reason}")
            else:
                self.columns.update(record.fields)
                yield record

    def _parquet(self, binary: BinaryIO) -> Iterator[Record]:
        from addtocrm.sources.dataset import parquet  # which takes long to load

        table = parquet.Table(binary)
        header = self._header(table.header)
        return (
            Record(number, size, dict(zip(header, row, strict=True)))
            for number, (size, row) in enumerate(table.rows(), 1)
        )

    def _header(self, names: list[str]) -> list[str]:
        header = [storable(name).strip().lower() for name in names]
        twice = [name for name, count in Counter(header).items() if count > 1 and name in self._known]
        if twice:
            raise RefusedError(f"The column {twice[0]} is there twice; leave one of them out.")
        self.columns.update(header)
        return header


def _csv_record(header: list[str], row: delimited.Line) -> Record:
    error, size = row.error, sum(map(len, row.values))
    if error is None and len(row.values) != len(header):
        error = f"{len(row.values)} fields instead of {len(header)}"
    if error is None:
        return Record(row.number, size, dict(zip(header, row.values, strict=True)))
    fields = {**dict(zip(header, row.values, strict=False)), "": ";".join(row.values[len(header) :])}
    return Record(row.number, size, fields, error)


def _refused_where_broken(records: Iterator[Record]) -> Iterator[Record]:
    with _refusing():
        yield from records


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise RefusedError(f"It cannot be read further: {reason or error}.") from None
