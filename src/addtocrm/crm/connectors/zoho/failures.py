"""What Zoho's errors mean."""

import re
from collections.abc import Mapping
from typing import Any

from addtocrm.core.outgoing.vendor import Lesson
from addtocrm.crm.connectors.zoho.answers import Item, as_dict, items
from addtocrm.crm.connectors.zoho.coql import is_name
from addtocrm.crm.connectors.zoho.fields import KINDS
from addtocrm.crm.failures import (
    Changed,
    Duplicate,
    Failure,
    NotFound,
    RateLimited,
    Rejected,
    Unavailable,
    UnknownField,
)

CREDITS_SECONDS, CONCURRENCY_SECONDS = 300.0, 5.0
NO_SCOPE = "OAUTH_SCOPE_MISMATCH"
REFUSED = ("NO_PERMISSION", "AUTHORIZATION_FAILED", NO_SCOPE, "INVALID_MODULE")
LIMITS = ("TOO_MANY_REQUESTS", "API_LIMIT_EXCEEDED", "CONCURRENCY_LIMIT_EXCEEDED")
QUOTA, DAY, NO_RECORD = "api|credit|concurren|request", "credit|day|24", "id given|given id|related id"
NO_FIELD = "is not a field of this Zoho CRM."


class NoPermission(Rejected):
    """The user may not do it, or not see the module."""


def failure(item: Item, module: str = "") -> Failure:
    """What the error of a record of `module`, or of a whole request, means. Raises Unavailable for another form.

    RateLimited says for how long the quota is used up; UnknownField is of a query too.
    """
    details, field = item.details, str(item.details.get("api_name") or "")
    if item.code == "MULTIPLE_OR_MULTI_ERRORS":
        return failure(min(items(details, "errors"), key=lambda one: one.code != "DUPLICATE_DATA"), module)
    if item.code in LIMITS or (item.code == "LIMIT_EXCEEDED" and re.search(QUOTA, item.message, re.I)):
        return RateLimited(CREDITS_SECONDS if re.search(DAY, item.message, re.I) else CONCURRENCY_SECONDS)
    if item.code == "DUPLICATE_DATA":
        there = as_dict(details.get("duplicate_record"))
        id = there.get("id") or details.get("id")
        kind = KINDS.get(str(as_dict(there.get("module")).get("api_name")), KINDS.get(module, "contact"))
        return Duplicate(str(id) if id else None, kind)
    if item.code == "ALREADY_MODIFIED":
        return Changed()
    if item.code == "INVALID_QUERY" and is_name(column := str(details.get("column_name"))):
        return UnknownField(column, NO_FIELD)
    if item.code == "INVALID_DATA" and field in ("", "id") and re.search(NO_RECORD, item.message):
        return NotFound(f"{KINDS.get(module, 'contact')} {details.get('id', '')}".strip())
    if item.code == "INTERNAL_ERROR":
        return Unavailable(maybe_done=True)
    if item.code in REFUSED:
        wanted = ", ".join(map(str, details.get("permissions") or [])) or "this module or action"
        return NoPermission("", f"The Zoho CRM user has no permission for {wanted}. Ask the administrator for it.")
    return Rejected(field, _reason(item))


def learn(headers: Mapping[str, str]) -> Lesson | None:
    """What an answer's headers say of the credits: a pause where none remain."""
    return Lesson(pause=CREDITS_SECONDS) if headers.get("x-api-credits-remaining", "").strip() == "0" else None


def is_forbidden(body: Any) -> bool:
    """Whether a 401 with this body says that the token has not the scope."""
    return as_dict(body).get("code") == NO_SCOPE


def _reason(item: Item) -> str:
    if item.code == "MANDATORY_NOT_FOUND":
        return "is required by Zoho CRM."
    more = {name: item.details.get(name) for name in ("maximum_length", "expected_data_type", "supported_values")}
    said = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in more.items() if value is not None)
    return f"Zoho CRM says: {item.message or item.code}" + (f" ({said})" if said else "")
