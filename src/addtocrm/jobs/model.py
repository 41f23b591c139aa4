"""What a job is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from addtocrm.core.errors import ItemError

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
    credits_deducted: int
    error: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None


class AnyJob(Job, frozen=True):
    """A job of any account, as the operator sees it."""

    account_id: str
    account_email: str


class JobResult(msgspec.Struct, frozen=True):
    """One item: what was asked, and its answer or error; where it is of a kind that costs, also what it cost."""

    position: int
    status: ItemStatus
    input: Any
    data: Any
    error: ItemError | None
    cached: bool | None = None
    credits_deducted: int | None = None


class NewItem(msgspec.Struct, frozen=True):
    """A piece of work to be done; `input` is JSON-encodable.

    Items with the same `key` are done once. Those of one `group` are begun together, some at a time, so that they
    can share what is dear to begin (a connection) and no group holds the others up.
    """

    input: Any
    key: str | None = None
    group: str = ""


class Item(msgspec.Struct, frozen=True):
    """One piece of a job's work, as its handler gets it; `attempts` counts the times that it was put off, `since` is
    when the job was made (a result from then on may be an earlier, interrupted try's)."""

    position: int
    input: Any
    attempts: int
    since: datetime


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an item that was tried: an end (JSON texts) with whom the result is about, or `put_off` by so many
    seconds, which is an attempt where it was `tried`."""

    job_id: str
    position: int
    status: ItemStatus = "pending"
    result: str | None = None
    error: str | None = None
    cached: bool | None = None
    credits_deducted: int | None = None
    put_off: float | None = None
    tried: bool = True
    subjects: Sequence[bytes] = ()
