"""Attio's answers: their forms, and which Failure an error is."""

import re
from typing import Any, TypeVar

import msgspec

from addtocrm.core.outgoing.client import Reply
from addtocrm.crm.connectors.attio.attributes import KINDS, Schema
from addtocrm.crm.contract import Changes
from addtocrm.crm.failures import Failure, NotFound, Rejected, Unavailable, UnknownField

T = TypeVar("T")
MERGING_SECONDS = 5


class Ids(msgspec.Struct, frozen=True):
    record_id: str = ""
    list_id: str = ""
    note_id: str = ""
    task_id: str = ""
    workspace_member_id: str = ""


class Row(msgspec.Struct, frozen=True):
    id: Ids
    created_at: str
    values: dict[str, list[dict[str, Any]]]
    web_url: str | None = None

    @property
    def age(self) -> tuple[str, str]:
        """By which the oldest is first, each in a place of its own."""
        return self.created_at, self.id.record_id


class Thing(msgspec.Struct, frozen=True):
    """A list, note, task, member, option or entry: each has some of these."""

    id: Ids = Ids()
    name: str = ""
    parent_object: list[str] | str = []
    parent_record_id: str = ""
    content_plaintext: str = ""
    title: str = ""
    is_archived: bool = False
    email_address: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    access_level: str = ""


class Identity(msgspec.Struct, frozen=True):
    active: bool
    workspace_id: str = ""
    workspace_name: str = ""
    workspace_slug: str = ""


class Detail(msgspec.Struct, frozen=True):
    path: list[str | int] = []
    message: str = ""


class Problem(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""
    validation_errors: list[Detail] = []


def data(
    reply: Reply, form: type[T], what: str = "record", schema: Schema | None = None, sent: Changes | None = None
) -> T:
    """The answer's `data`, as `form`.

    `what` is what the request was about, `sent` the changes to attributes of `schema` that it sent. Raises the Failure
    that the answer says, and Unavailable where it has another form.
    """
    if reply.status not in (200, 201):
        raise _failure(reply, what, schema or {}, sent or {})
    try:
        return msgspec.convert(reply.data["data"], form)
    except (msgspec.ValidationError, KeyError, TypeError):
        raise Unavailable(maybe_done=True) from None


def problem(reply: Reply) -> Problem:
    """What the answer says is wrong; nothing where that has no known form."""
    try:
        return msgspec.convert(reply.data, Problem) if reply.status >= 400 else Problem()
    except msgspec.ValidationError:
        return Problem()


def _failure(reply: Reply, what: str, schema: Schema, sent: Changes) -> Failure:
    said = problem(reply)
    if said.code in ("", "merge_in_progress"):
        return Unavailable(MERGING_SECONDS if said.code else 30)
    if reply.status == 403:
        return Rejected("", f"The connection to Attio lacks a permission: {said.message}")
    if reply.status == 404:
        return NotFound(what)
    named = re.search(r'with slug(?:/ID)? "([^"]+)"', said.message)
    field = named[1] if named else ""
    if said.code == "value_not_found" and said.message.startswith("Cannot find attribute"):
        return UnknownField(field, said.message)
    if title := re.search(r'title(?:/ID)? "(.*)"', said.message):
        field = field or _choice(title[1], schema, sent)
    error = said.validation_errors[0] if said.validation_errors else Detail()
    part = next((f"{field}.{one}" for one in error.path if f"{field}.{one}" in sent), field)
    return Rejected(part, " ".join(filter(None, (said.message, error.message))))


def _choice(title: str, schema: Schema, sent: Changes) -> str:
    """The field that an option was sent for, "" where there is none."""
    for name, value in sent.items():
        is_choice = name in schema and KINDS.get(schema[name].type) == "choice"
        if is_choice and title in (value if isinstance(value, list) else [str(value)]):
            return name
    return ""
