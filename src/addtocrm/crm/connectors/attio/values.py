"""Attio's values: how they are read and written, by the types of attributes."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from addtocrm.crm.connectors.attio.answers import Row
from addtocrm.crm.connectors.attio.attributes import PARTS, PROPERTY, Schema, to_member, to_record
from addtocrm.crm.contract import Changes, Fields, Update, Value
from addtocrm.crm.failures import UnknownField


def read(schema: Schema, row: Row) -> dict[str, Value]:
    """The record's fields that are attributes of `schema`, without the empty ones."""
    fields: dict[str, Value] = {}
    for slug, attribute in schema.items():
        held = row.values.get(slug) or []
        if attribute.type in PARTS:
            parts = held[0] if held else {}
            fields |= {f"{slug}.{part}": str(parts[part]) for part in PARTS[attribute.type] if parts.get(part)}
        elif values := [value for one in held if (value := _plain(attribute.type, one)) not in (None, "")]:
            fields[slug] = [str(value) for value in values] if attribute.is_multiselect else values[0]
    return fields


def _plain(form: str, held: Mapping[str, Any]) -> Any:
    value = held.get(PROPERTY.get(form, "value"))
    if isinstance(value, dict):
        value = msgspec.convert(value, dict[str, Any]).get("title")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, str | int | float) else None


def written(schema: Schema, changes: Changes, held: Fields) -> dict[str, list[Any]]:
    """The attributes of `schema` as they shall be; those of several parts whole, with the parts that are `held`.

    Raises UnknownField for a change to none of them.
    """
    values: dict[str, list[Any]] = {}
    for name, value in changes.items():
        slug, _, part = name.partition(".")
        attribute = schema.get(slug)
        if attribute is None or part not in PARTS.get(attribute.type, ("",)):
            raise UnknownField(name, f"Attio has no field {name}.")
        if not part:
            several = value if isinstance(value, list) else [] if value is None else [value]
            values[slug] = [_sent(attribute.type, one) for one in several]
        elif slug not in values:
            old = {part: held.get(f"{slug}.{part}") for part in PARTS[attribute.type]}
            new = {part: changes.get(f"{slug}.{part}", old[part]) for part in old}
            whole = _named(old, new, f"{slug}.full_name" in changes) if attribute.type == "personal-name" else new
            values[slug] = [whole] if any(whole.values()) else []
    return values


def _sent(type: str, value: Value) -> Any:
    if type == "record-reference":
        return to_record("companies", value)
    return to_member(value) if type == "actor-reference" else value


def _named(old: Mapping[str, Any], new: Mapping[str, Any], full: bool) -> dict[str, str]:
    """A name's three parts. The full name follows where another part is replaced, and alone it is the first name, as
    Attio has it of a text without a comma."""
    name = {part: str(value or "") for part, value in new.items()}
    replaced = any(old[part] and old[part] != new[part] for part in ("first_name", "last_name"))
    if not full and (replaced or not name["full_name"]):
        name["full_name"] = " ".join(filter(None, (name["first_name"], name["last_name"])))
    if not name["first_name"] and not name["last_name"]:
        name["first_name"] = name["full_name"]
    return name


def changed(schema: Schema, update: Update) -> tuple[Literal["PATCH", "PUT"], dict[str, list[Any]]]:
    """How to write the changes: PATCH adds to lists and loses nothing, also what was added since they were read; PUT
    where something goes, or new values are not to stand first. Raises UnknownField."""
    values = written(schema, update.changes, update.record.fields)
    added = dict(values)
    adds = all(values.values())
    for slug, wanted in values.items():
        if not schema[slug].is_multiselect:
            continue
        held = update.record.fields.get(slug)
        now, order = _folded(held if isinstance(held, list) else []), _folded(wanted)
        added[slug] = [one for one in wanted if str(one).casefold() not in now]
        adds &= set(now) <= set(order) if update.guarded else order == _folded(added[slug]) + now
    if not adds:
        return "PUT", values
    return "PATCH", {slug: new for slug, new in added.items() if new}


def _folded(values: Iterable[Any]) -> list[str]:
    return [str(one).casefold() for one in values]
