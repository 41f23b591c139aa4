"""Files as records: CSV, JSON lines (both also gzipped) and Parquet, read as streams."""

import csv
import gzip
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import msgspec

from addtocrm.dataset.model import Record, RefusedError

LONGEST_FIELD = 10_000_000
BATCH_ROWS = 10_000


class Source:
    """An open file: its records, and how many bytes of it have been read."""

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise RefusedError(f"There is no file {file}.")
        self.size = file.stat().st_size
        self._raw = file.open("rb")
        name = file.name.lower().removesuffix(".gz")
        binary: BinaryIO = cast(BinaryIO, gzip.open(self._raw)) if file.name.lower().endswith(".gz") else self._raw  # noqa: SIM115
        readers: dict[str, Callable[[BinaryIO], Iterator[Record]]] = {
            ".csv": _csv,
            ".tsv": _csv,
            ".jsonl": _json_lines,
            ".ndjson": _json_lines,
            ".json": _json_lines,
            ".parquet": _parquet,
        }
        read = readers.get(Path(name).suffix)
        if read is None:
            raise RefusedError(f"{file.name} is not named .csv, .jsonl, .parquet (or .csv.gz, .jsonl.gz).")
        self.records = read(binary)

    @property
    def bytes_done(self) -> int:
        return self.size if self._raw.closed else self._raw.tell()

    def close(self) -> None:
        self._raw.close()


class Table(NamedTuple):
    """A CSV file whose header has been read; the lines of its rows count from the header's end."""

    header: list[str]
    rows: Any
    delimiter: str


def table(binary: BinaryIO) -> Table:
    """A CSV file, separated by commas, semicolons or tabs; bytes that are no UTF-8 become lone surrogates."""
    csv.field_size_limit(LONGEST_FIELD)
    text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")
    first = text.readline()
    delimiter = max(",;\t", key=first.count)
    header = next(csv.reader([first], delimiter=delimiter), cast(list[str], []))
    return Table(header, csv.reader(text, delimiter=delimiter), delimiter)


def _csv(binary: BinaryIO) -> Iterator[Record]:
    found = table(binary)
    header = [name.strip().lower() for name in found.header]
    reader = found.rows
    width = len(header)
    line = 2
    for values in reader:
        if len(values) == width:
            yield Record(line, dict[str, Any](zip(header, values, strict=True)))
        elif values:
            fields = {**dict[str, Any](zip(header, values, strict=False)), "": ";".join(values[width:])}
            yield Record(line, fields, f"{len(values)} fields instead of {width}")
        line = reader.line_num + 2


def _json_lines(binary: BinaryIO) -> Iterator[Record]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    for line, text in enumerate(binary, 1):
        if not text.strip():
            continue
        try:
            yield Record(line, decoder.decode(text))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            shown = text[:1000].decode("utf-8", "replace").strip()
            yield Record(line, {"": shown}, f"no JSON object: {error}")


def _parquet(binary: BinaryIO) -> Iterator[Record]:
    import pyarrow.parquet as parquet  # pyright: ignore[reportMissingTypeStubs]

    file = cast(Any, parquet).ParquetFile(binary)
    row = 0
    for batch in file.iter_batches(batch_size=BATCH_ROWS):
        for fields in batch.to_pylist():
            row += 1
            yield Record(row, fields)
