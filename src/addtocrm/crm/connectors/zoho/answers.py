"""Zoho's answers: the forms they have. What is not in the agreed form is raised as Unavailable."""

from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from addtocrm.crm.failures import Unavailable

T = TypeVar("T")


class Item(msgspec.Struct):
    """What came of one record (or tag, field) of a request; an error of the whole request looks the same."""

    code: str
    status: str
    message: str = ""
    details: dict[str, Any] = {}


def as_dict(value: Any) -> dict[str, Any]:
    """The object that `value` is, an empty one where it is none."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def rows(answer: Mapping[str, Any] | None, key: str) -> list[dict[str, Any]]:
    """The objects under `key`; none of no answer. Raises Unavailable."""
    return [] if answer is None else _converted(answer.get(key), list[dict[str, Any]])


def inner_rows(row: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in a field of `row`, which may be empty. Raises Unavailable."""
    return rows(row, key) if row.get(key) else []


def first(answer: Mapping[str, Any] | None, key: str) -> dict[str, Any]:
    """The first object under `key`, an empty one where there is none. Raises Unavailable."""
    found = rows(answer, key)
    return found[0] if found else {}


def has_more(answer: Mapping[str, Any] | None) -> bool:
    """Whether pages follow this one."""
    return as_dict((answer or {}).get("info")).get("more_records") is True


def text(row: Mapping[str, Any], key: str) -> str:
    """The text under `key`. Raises Unavailable where there is none."""
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise Unavailable()
    return value


def item(data: Mapping[str, Any]) -> Item:
    """What the whole answer says as one. Raises Unavailable."""
    return _converted(data, Item)


def items(answer: Mapping[str, Any] | None, key: str, *, maybe_done: bool = False) -> list[Item]:
    """What is under `key`, one at least. Raises Unavailable, by which what was asked is `maybe_done`."""
    found = _converted((answer or {}).get(key), list[Item], maybe_done=maybe_done)
    if not found:
        raise Unavailable(maybe_done=maybe_done)
    return found


def new_id(made: Item) -> str:
    """The id of what was made. Raises Unavailable."""
    id = made.details.get("id")
    if not isinstance(id, str):
        raise Unavailable(maybe_done=True)
    return id


def _converted(value: Any, form: type[T], *, maybe_done: bool = False) -> T:
    try:
        return msgspec.convert(value, form)
    except msgspec.ValidationError:
        raise Unavailable(maybe_done=maybe_done) from None
