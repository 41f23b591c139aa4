"""HubSpot's answers: their forms, and the Failure that an error is."""

import re
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import msgspec

from addtocrm.core.outgoing.client import Reply
from addtocrm.crm.connectors.hubspot.fields import LINK
from addtocrm.crm.connectors.hubspot.quotas import DAY_USED_UP, WINDOW_USED_UP
from addtocrm.crm.contract import Record
from addtocrm.crm.failures import Duplicate, Failure, NotFound, RateLimited, Rejected, Unavailable, UnknownField
from addtocrm.crm.kinds import Kind

T = TypeVar("T")
EXISTING = re.compile(r"Existing ID:\s*(\d+)")


class NoScope(Rejected):
    """What the token may not do, whatever the values are."""


class Fault(msgspec.Struct):
    message: str = ""
    category: str = ""
    context: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None


class Problem(msgspec.Struct):
    name: str = ""
    error: str = ""
    message: str = ""


class Item(msgspec.Struct, rename="camel"):
    id: str
    properties: dict[str, str | None] = {}
    created_at: str = ""
    updated_at: str | None = None
    object_write_trace_id: str | None = None


class Done(msgspec.Struct):
    errors: list[Fault] = []


class Page(Done, Generic[T], kw_only=True):
    """The answer of a batch, a search or a list."""

    results: list[T]
    total: int = 0
    paging: dict[str, dict[str, Any]] | None = None

    @property
    def after(self) -> str:
        return str((self.paging or {}).get("next", {}).get("after", ""))


class Listed(msgspec.Struct, rename="camel"):
    list_id: str
    name: str = ""


class Lists(msgspec.Struct, rename="camel"):
    lists: list[Listed]
    has_more: bool = False


class NewList(msgspec.Struct):
    list: Listed


class Added(msgspec.Struct):
    """What became of the records that were to be put on a list."""

    missing: list[str] = msgspec.field(default=[], name="recordIdsMissing")


def decoded(reply: Reply, type: type[T], *, maybe_done: bool) -> T:
    """The answer's body as `type`. Raises Unavailable, with `maybe_done`, where it has another form."""
    try:
        return msgspec.convert(reply.data or {}, type, strict=False)
    except msgspec.ValidationError:
        raise Unavailable(maybe_done=maybe_done) from None


def failure(fault: Fault, what: str, reply: Reply | None = None) -> Failure:
    """What a `reply` of 400 and above says, or an error in a batch's answer. `what` was asked for: `contact 123`."""
    status = reply.status if reply else 0
    message = fault.message or f"HubSpot answered {status}."
    if fault.category == "RATE_LIMITS":
        return RateLimited(DAY_USED_UP if "daily" in message.lower() else WINDOW_USED_UP)
    if status in (423, 477):
        after = reply.headers.get("retry-after", "") if reply else ""
        return Unavailable(float(after) if after.isdigit() else 2.0)
    if status == 403 or fault.category == "MISSING_SCOPES":
        scopes = [
            str(one) for detail in fault.errors or () for one in _said(detail.get("context"), "requiredGranularScopes")
        ]
        missing = f"the scope {' or '.join(scopes)}" if scopes else "a permission for this"
        return NoScope("", f"The HubSpot app lacks {missing}. Add it to the app, then connect HubSpot again.")
    if status == 409 or fault.category == "CONFLICT":
        existing = EXISTING.search(message)
        return Duplicate(existing[1] if existing else None)
    if status == 404 or fault.category == "OBJECT_NOT_FOUND":
        return NotFound(what)
    problem = _problem(fault)
    if problem.error == "PROPERTY_DOESNT_EXIST":
        return UnknownField(problem.name, problem.message)
    name = problem.name or (LINK if "association" in message.lower() else "")
    return Rejected(name, (problem.message or message)[:500])


def failures(faults: Sequence[Fault], name: str, kind: Kind) -> dict[str, Record | Failure]:
    """The errors of a batch by what `name` in their context says."""
    return {str(one): failure(fault, f"{kind} {one}") for fault in faults for one in _said(fault.context, name)}


def _problem(fault: Fault) -> Problem:
    """The first value that is refused: under `errors`, or as JSON inside the message."""
    for detail in fault.errors or ():
        for name in _said(detail.get("context"), "propertyName"):
            return Problem(str(name), str(detail.get("code", "")), str(detail.get("message", "")))
    try:
        return msgspec.json.decode(fault.message[fault.message.index("[{") :], type=list[Problem])[0]
    except (ValueError, IndexError):
        return Problem()


def _said(context: Any, name: str) -> list[Any]:
    try:
        return msgspec.convert(context, dict[str, list[Any]]).get(name, [])
    except msgspec.ValidationError:
        return []
