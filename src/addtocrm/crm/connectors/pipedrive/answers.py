"""Pipedrive's answers: their forms, and what an error means."""

import re
from typing import Any, TypeVar

import msgspec

from addtocrm.crm.failures import Failure, NotFound, Rejected, Unavailable, UnknownField

T = TypeVar("T")
Raw = dict[str, Any]
REASON = re.compile(r"Validation failed: ([\w.\[\]]+): (.+?)(?:; [\w.\[\]]+: .*)?", re.DOTALL)
NAMED_KEY = re.compile(r"(?:Unknown key|custom field) '(\w+)'")
CONTACT_SYNC = ("job_title", "birthday", "notes", "postal_address")
"""The fields that only Contact Sync makes."""


class Answer(msgspec.Struct):
    success: bool = False
    data: Any = None
    additional_data: dict[str, Any] | None = None
    error: str | None = None


class Choice(msgspec.Struct):
    label: str
    id: int | str


class Part(msgspec.Struct):
    field_code: str


class Meta(msgspec.Struct):
    """A field as Pipedrive describes it."""

    field_code: str
    field_name: str
    field_type: str
    options: list[Choice] | None = None
    subfields: list[Part] | None = None
    is_custom_field: bool = False
    is_writable: bool = True


class User(msgspec.Struct):
    id: int
    name: str | None = None
    email: str | None = None
    active_flag: bool = True
    is_you: bool = False
    company_id: int | None = None
    company_name: str | None = None
    company_domain: str | None = None


class Made(msgspec.Struct):
    id: int


class Found(msgspec.Struct):
    item: Made


class Hits(msgspec.Struct):
    items: list[Found]


class Channel(msgspec.Struct):
    value: str = ""
    primary: bool = False
    label: str | None = None


class Note(msgspec.Struct):
    content: str | None = None


class ActivityType(msgspec.Struct):
    key_string: str
    active_flag: bool = True


def convert(data: Any, type: type[T]) -> T:
    """The data in its form. Raises Unavailable where it has another."""
    try:
        return msgspec.convert(data, type)
    except msgspec.ValidationError:
        raise Unavailable(maybe_done=True) from None


def raw_of(data: Any) -> Raw:
    """A record, which has an id. Raises Unavailable."""
    raw = convert(data, Raw)
    if not isinstance(raw.get("id"), int):
        raise Unavailable(maybe_done=True)
    return raw


def raws_of(data: Any) -> list[Raw]:
    """The records of an answer that were not deleted. Raises Unavailable."""
    return [raw for raw in map(raw_of, convert(data, list[Any])) if not raw.get("is_deleted")]


def failure(status: int, text: str, sent: Any, what: str) -> Failure:
    """What an answer that is no success means; `text` is the vendor's, `sent` the body that it answers, `what` what
    was looked for."""
    if status == 404:
        return NotFound(what or "record")
    if status == 402:
        return Rejected("", "The Pipedrive account is not open. Check its subscription in Pipedrive.")
    synced = next((name for name in CONTACT_SYNC if name in (sent or ())), None)
    if status == 403 and synced and "scope" not in text.casefold():
        return UnknownField(synced, "Pipedrive takes this field only while Contact Sync is on.")
    if status == 403:
        return Rejected(
            "", f"The Pipedrive user or app may not do this ({text or 'forbidden'}). Allow it in Pipedrive."
        )
    if not text or status < 300:
        return Unavailable(maybe_done=True)
    reason = REASON.fullmatch(text)
    field, why = (re.split(r"[.\[]", reason[1])[0], reason[2]) if reason else ("", text)
    named = NAMED_KEY.search(why)
    if "not allowed for this request" in why or "Unknown key" in why:
        return UnknownField(named[1] if named else field, why)
    return Rejected(named[1] if named else field, why)
