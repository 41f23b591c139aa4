"""What a job is."""

from typing import Any, Literal

import msgspec

JobStatus = Literal["queued", "running", "completed", "failed", "cancelled"]
ItemStatus = Literal["pending", "succeeded", "failed", "cancelled"]


class Job(msgspec.Struct, frozen=True):
    """Work on many items. `failed` items have an error of their own; a job fails only as a whole."""

    id: str
    kind: str
    status: JobStatus
    total: int
    succeeded: int
    failed: int
    pending: int
    error: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None


class ItemError(msgspec.Struct, frozen=True):
    """Why an item failed, in the words of the error envelope."""

    type: str
    message: str


class JobResult(msgspec.Struct, frozen=True):
    """One item: what was asked, and its answer or error."""

    position: int
    status: ItemStatus
    input: Any
    data: Any
    error: ItemError | None


class Item(msgspec.Struct, frozen=True):
    """One piece of a job's work, as its handler gets it."""

    position: int
    input: Any
