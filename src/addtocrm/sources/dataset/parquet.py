"""Parquet files as rows of Python values."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import pyarrow
import pyarrow.parquet

from addtocrm.sources.dataset.model import RefusedError

ArrowException: type[Exception] = cast(Any, pyarrow).ArrowException
BATCH_ROWS = 10_000


class Unreadable:
    """A value that Python has no equal of, such as a date in the year 20000."""


class Table:
    """An open file: the names of its columns, and its rows. Raises RefusedError where the file is damaged."""

    def __init__(self, binary: BinaryIO) -> None:
        with _refusing():
            self._file: Any = cast(Any, pyarrow.parquet).ParquetFile(binary)
            self.header: list[str] = list(self._file.schema_arrow.names)

    def rows(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Each row with about how many bytes it has."""
        batches = self._file.iter_batches(batch_size=BATCH_ROWS)
        while True:
            with _refusing():
                batch: Any = next(batches, None)
            if batch is None:
                return
            size = batch.nbytes // max(batch.num_rows, 1)
            yield from ((size, row) for row in zip(*map(_values, batch.columns), strict=True))


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (ArrowException, OSError, ValueError, MemoryError) as error:
        raise RefusedError(f"It is no Parquet file, or damaged: {str(error).rstrip('.')}.") from None


def _values(column: Any) -> list[Any]:
    try:
        return column.to_pylist()
    except (ArrowException, ValueError, OverflowError):
        return [_value(cell) for cell in column]


def _value(cell: Any) -> Any:
    try:
        return cell.as_py()
    except (ArrowException, ValueError, OverflowError):
        return Unreadable()
