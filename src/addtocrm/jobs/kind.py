"""What a kind of job has to say of itself."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from addtocrm.core.caller import Caller
from addtocrm.jobs.model import Item


class Postponed(Exception):
    """Raised by a handler whose item is to be tried again after `seconds`; with `all_items`, the whole job rests."""

    def __init__(self, seconds: float, *, all_items: bool = False) -> None:
        super().__init__(f"again in {seconds:g} s")
        self.seconds = seconds
        self.all_items = all_items


class Done(msgspec.Struct, frozen=True):
    """The result of an item that may have cost credits; `data` is encoded JSON."""

    data: bytes
    cached: bool
    credits_deducted: int


class Kind(msgspec.Struct, frozen=True):
    """A kind of job. `handle(caller, options, item)` does one item and gives its JSON-encodable result, or Done
    where that is encoded, or cost something.

    An ApiError becomes the item's error, unless it says when to come back. Doing an item twice must do no harm:
    a crash may come between the work and its record. `at_once` items are under way at a time, shared by all jobs of
    the kind. Where they are `cancellable`, `handle` is cancelled with its job: it gives up what it has not begun, and
    gives the result of what it has.
    """

    name: str
    handle: Callable[[Caller, dict[str, Any], Item], Awaitable[Any]]
    at_once: int = 8
    cancellable: bool = False
