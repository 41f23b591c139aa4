"""What an import reads, reports and gives."""

from typing import Any, Literal

import msgspec

Kind = Literal["people", "companies"]


class RefusedError(ValueError):
    """A row that cannot be imported; the message says why."""


class Record(msgspec.Struct, frozen=True):
    """One row of a file as it was read: the line that it begins on, about how many bytes it has, and its fields or
    why it has none."""

    line: int
    size: int
    fields: dict[str, Any]
    error: str | None = None


class Row(msgspec.Struct, frozen=True):
    """One person or company as the tables have it. `keys` are the columns beside identity and data."""

    identity: str
    keys: tuple[str | None, ...]
    data: dict[str, Any]


class Progress(msgspec.Struct, frozen=True):
    bytes_done: int
    bytes_total: int
    rows: int
    refused: int


class ImportResult(msgspec.Struct, frozen=True):
    """What became of each row: `created` brought somebody new, `updated` said something new about somebody, `unchanged`
    nothing new; `refused` could not be read, `suppressed` are of people who asked to be forgotten. Together they are
    `rows`, of which `resumed_from` were done by an interrupted run of the same file."""

    file: str
    rows: int
    created: int
    updated: int
    unchanged: int
    refused: int
    suppressed: int
    rejected_file: str | None
    resumed_from: int
    ignored_columns: list[str]
    seconds: float
