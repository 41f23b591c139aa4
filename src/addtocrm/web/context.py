"""What the gate hands to routes."""

import re
from typing import Any, cast

import msgspec

from addtocrm.core.caller import Caller, Scope
from addtocrm.core.errors import ApiError, lacks_scope

Scopes = tuple[Scope, ...]
ANY_SCOPE: Scopes = ("enrich", "write", "lists", "read")


NORMAL_PATH = re.compile(r"/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*")
"""The one form of a path that is judged and routed: segments of unreserved characters (RFC 3986, 2.3 and 6.2.2) with
single slashes between them, none of them `.` or `..`, nothing escaped."""


class Route(msgspec.Struct, frozen=True):
    """What the gate needs to know of where a request goes: its path with parameters unfilled, the scopes of which a
    key must have one (or all), and whether it takes a JSON body."""

    template: str
    scopes: Scopes
    all_scopes: bool
    takes_json: bool


def is_normal(path: str) -> bool:
    """Whether a path is in the form of NORMAL_PATH."""
    return NORMAL_PATH.fullmatch(path) is not None


def require_normal(path: str) -> None:
    """Raises ApiError `not_found` for a path in any other form than NORMAL_PATH."""
    if not is_normal(path):
        raise ApiError("not_found", "There is no such path; see /docs for what there is.")


class Passed(msgspec.Struct):
    """A request that has passed the gate: who calls, with which scopes. `ref` is a look-up's Ref, set by its route."""

    caller: Caller
    scopes: frozenset[str]
    ref: tuple[str, str, str] | None = None


def passed(scope: Any) -> Passed:
    """The gate's word on the request of an ASGI scope."""
    return cast(Passed, scope["addtocrm.passed"])


def require_scope(scopes: frozenset[str], wanted: Scopes, *, all_of_them: bool = False) -> None:
    """Raises ApiError `scope_required` unless a key with `scopes` has one of `wanted`, or all of them."""
    has = scopes.issuperset(wanted) if all_of_them else not scopes.isdisjoint(wanted)
    if not has:
        raise lacks_scope(wanted, scopes, all_of_them=all_of_them)
