"""Values from Pipedrive's form and to it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from addtocrm.crm.connectors.pipedrive.answers import Channel, Meta, Raw, convert
from addtocrm.crm.connectors.pipedrive.fields import ADDRESS, CHANNELS, KEY, READ, SENT, TYPES
from addtocrm.crm.contract import Changes, Fields, Value
from addtocrm.crm.failures import Rejected
from addtocrm.crm.kinds import Kind

ID = re.compile(r"[0-9]{1,15}")
SCALARS = (str, int, float)
NUMBERED = ("owner_id", "org_id", "industry")


def read(kind: Kind, raw: Raw) -> dict[str, Value]:
    """A record's fields as the contract has them, without what is empty. Raises Unavailable."""
    fields: dict[str, Value] = {}
    standard = {name: raw.get(name) for name in READ[kind]}
    custom = cast(Raw, raw.get("custom_fields")) if isinstance(raw.get("custom_fields"), dict) else {}
    for name, value in {**standard, **custom}.items():
        fields.update(value_of(name, value))
    return fields


def value_of(name: str, value: Any) -> dict[str, Value]:
    if isinstance(value, dict):
        parts = cast(Raw, value)
        if parts.keys() >= {"id", "label"}:
            return {name: str(parts["id"])}
        return {f"{name}.{part}": one for part, one in parts.items() if isinstance(one, SCALARS) and one != ""}
    if isinstance(value, list):
        many = cast(list[Any], value)
        if name in CHANNELS:
            many = [one.value for one in sorted(convert(many, list[Channel]), key=lambda one: not one.primary)]
        texts = [str(cast(Raw, one).get("id") if isinstance(one, dict) else one) for one in many if one]
        return {name: texts} if texts else {}
    if isinstance(value, SCALARS) and value != "":
        return {name: str(value) if name in NUMBERED else value}
    return {}


def written(changes: Changes, before: Fields, raw: Raw) -> Raw:
    """What is sent for `changes` of a record that is `raw`, in our form `before`. Raises Rejected, Unavailable."""
    values: Raw = {name: value for name, value in changes.items() if "." not in name}
    for head in dict.fromkeys(name.partition(".")[0] for name in changes if "." in name):
        values[head] = composite(head, changes, before)
    custom: Raw = {}
    body: Raw = {}
    for name, value in values.items():
        if not KEY.fullmatch(name):
            body[name] = standard(name, value, raw)
        elif isinstance(value, list):
            custom[name] = [number(name, text) for text in texts_of(value)] or None
        else:
            custom[name] = value
    return {**body, "custom_fields": custom} if custom else body


def is_number(value: Any) -> bool:
    return isinstance(value, str) and value.isdecimal()


def typed(custom: Raw, metas: Iterable[Meta]) -> Raw:
    """Values of custom fields, with a number for each text that is one where Pipedrive wants that."""
    types = {meta.field_code: TYPES.get(meta.field_type) for meta in metas}
    return {
        name: int(value) if is_number(value) and types.get(name) in ("choice", "number") else value
        for name, value in custom.items()
    }


def composite(head: str, changes: Changes, before: Fields) -> Raw | None:
    """All parts of a field, changed: Pipedrive empties the parts that are not sent. An address needs its full text."""
    prefix = f"{head}."
    old = {name.removeprefix(prefix): value for name, value in before.items() if name.startswith(prefix)}
    changed = {name.removeprefix(prefix): value for name, value in changes.items() if name.startswith(prefix)}
    new = {part: value for part, value in {**old, **changed}.items() if value is not None and part in SENT}
    if "value" not in changed and old.get("value", "") == full_text(old):
        new["value"] = full_text(new)
    return new if any(new.values()) else None


def full_text(parts: Mapping[str, Any]) -> str:
    return ", ".join(str(parts[part]) for part in ("route", *ADDRESS) if parts.get(part))


def standard(name: str, value: Any, raw: Raw) -> Any:
    """A standard field's value as Pipedrive takes it; channels keep the labels that they have."""
    if name in CHANNELS:
        labels = {one.value.casefold(): one.label for one in convert(raw.get(name) or [], list[Channel])}
        return [
            {"value": text, "primary": at == 0, "label": labels.get(text.casefold()) or "work"}
            for at, text in enumerate(texts_of(value))
        ]
    if name == "label_ids":
        return [number(name, text) for text in texts_of(value)]
    return number(name, str(value)) if name in NUMBERED and value is not None else value


def texts_of(value: Any) -> list[str]:
    """What a field holds, one text or several."""
    return [str(one) for one in (cast(list[Any], value) if isinstance(value, list) else [value]) if one is not None]


def number(field: str, id: str) -> int:
    """The id as Pipedrive takes it. Raises Rejected for one that it cannot have."""
    if not ID.fullmatch(id):
        raise Rejected(field, f"{id!r} is no id of Pipedrive.")
    return int(id)
