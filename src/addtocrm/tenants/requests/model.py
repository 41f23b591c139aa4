"""What is kept of a request."""

from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from addtocrm.core.ids import ID

FAILED = "failed"
SUCCEEDED = "succeeded"


class Request(msgspec.Struct, gc=False):
    """An API request: `path` without its query, `error` its answer's type where it is one. `credits` and `cached` are
    those of a billable answer. `lines` are what was logged meanwhile, as far as it is the account's to know."""

    id: str
    account_id: str
    key_id: str
    at: datetime
    method: str
    path: str
    status: int
    error: str | None
    credits: int | None
    cached: bool | None
    ms: float
    lines: list[dict[str, Any]] | None = None


class Wanted(msgspec.Struct, frozen=True):
    """Which requests: `result` is SUCCEEDED, FAILED or an error's type, `path` how theirs begins, `since` and `until`
    when they came."""

    result: str = ""
    key_id: str = ""
    path: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_all(self) -> bool:
        """Whether every request of its time is wanted."""
        return not (self.result or self.key_id or self.path)


class Page(msgspec.Struct, frozen=True):
    """Requests, the latest first. `cursor` is where the next page begins. Where few are wanted of many, not all of
    those are looked at for one page: then `reached` says when the last one came that was."""

    requests: list[Request]
    cursor: str | None
    reached: datetime | None


@lru_cache(4096)
def kept_path(path: str, template: str) -> str:
    """A path as it is kept: of what the caller chose only ids, for anything else may be somebody's name."""
    if template == "unknown":
        return "unknown"
    parts = zip(template.split("/"), path.split("/"), strict=True)
    return "/".join(said if ID.fullmatch(said) or said == expected else expected for expected, said in parts)
