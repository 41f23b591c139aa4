"""What is said of a vendor before it is called: data, no code."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec


class Window(msgspec.Struct, frozen=True):
    """At most `requests` in any `seconds`."""

    requests: int
    seconds: float


class Quota(msgspec.Struct, frozen=True):
    """What one account at the vendor may ask: all `windows` hold, and `concurrency` requests at a time."""

    windows: tuple[Window, ...] = ()
    concurrency: int | None = None


class Lesson(msgspec.Struct, frozen=True):
    """What an answer's headers say: the quota as it is, and for how many seconds nothing more is granted."""

    quota: Quota | None = None
    pause: float | None = None


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """A vendor as data.

    `part_of` is the vendor within whose quota this one has a narrower one (as that of its search). `learn` reads the
    quota from an answer's headers (lower-case names); `throttled` reads from the headers and the decoded body of a 429
    for how many seconds nothing more is granted, where `Retry-After` is not said. Of the `connections` one account has
    `account_connections` at most, and takes no other's.
    """

    name: str
    quota: Quota = Quota()
    part_of: "Vendor | None" = None
    learn: Callable[[Mapping[str, str]], Lesson | None] | None = None
    throttled: Callable[[Mapping[str, str], Any], float | None] | None = None
    connections: int = 200
    account_connections: int = 8
    connect_seconds: float = 5.0
    read_seconds: float = 30.0


class Account(NamedTuple):
    """Whose quota and circuit a call counts for: the vendor's own name of the account."""

    vendor: Vendor
    id: str

    @property
    def name(self) -> str:
        return f"{self.vendor.name}:{self.id}"
