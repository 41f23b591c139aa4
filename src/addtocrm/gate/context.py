"""What the gate hands to routes."""

from typing import Any, cast

import msgspec

from addtocrm.errors import ApiError
from addtocrm.keys.model import Scope
from addtocrm.lookups.model import Caller, Ref

Scopes = tuple[Scope, ...]
ANY_SCOPE: Scopes = ("enrich", "write", "lists", "read")


class Route(msgspec.Struct, frozen=True):
    """What the gate needs to know of where a request goes: its path with parameters unfilled, the scopes of which a
    key must have one, and whether it takes a JSON body."""

    template: str
    scopes: Scopes
    takes_json: bool


class Passed(msgspec.Struct):
    """A request that has passed the gate: who calls, with which scopes. `ref` is set by a look-up's route."""

    caller: Caller
    scopes: frozenset[str]
    ref: Ref | None = None


def passed(scope: Any) -> Passed:
    """The gate's word on the request of an ASGI scope."""
    return cast(Passed, scope["addtocrm.passed"])


def require_scope(passed: Passed, wanted: Scopes) -> None:
    """Raises ApiError `scope_required` unless the key has one of `wanted`."""
    if passed.scopes.isdisjoint(wanted):
        names = " or ".join(f"`{name}`" for name in wanted)
        raise ApiError("scope_required", f"This call needs the scope {names}; make a key that has it in the dashboard.")
