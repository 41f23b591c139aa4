"""HubSpot's properties: as fields, as what makes one, and their values from and to HubSpot's texts."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from addtocrm.crm.contract import Changes, Field, Option, Value
from addtocrm.crm.failures import Rejected
from addtocrm.crm.kinds import Kind

LINK, MORE_EMAILS, OWNER = "associatedcompanyid", "hs_additional_emails", "hubspot_owner_id"
REFERENCES = (LINK, OWNER)
NUMBERS = ("numberofemployees",)
LONGEST = 65_536
TYPES: Mapping[str, Any] = {"number": "number", "bool": "boolean", "date": "date", "datetime": "datetime"}
"""Of a property and of a field; any other is a text."""
NEW_TYPES: Mapping[str, tuple[str, str]] = {
    "text": ("string", "text"),
    "number": ("number", "number"),
    "date": ("date", "date"),
    "boolean": ("bool", "booleancheckbox"),
    "choice": ("enumeration", "select"),
    "choices": ("enumeration", "checkbox"),
}
YES_NO = [Option("true", "Yes"), Option("false", "No")]


class Property(msgspec.Struct, rename="camel"):
    name: str
    label: str = ""
    type: str = "string"
    field_type: str = "text"
    options: list[dict[str, Any]] = []
    hubspot_defined: bool | None = False
    calculated: bool | None = False
    referenced_object_type: str | None = None
    modification_metadata: dict[str, Any] | None = None


def described(one: Property) -> Field:
    """The property as a field."""
    type: Any = TYPES.get(one.type, "text")
    if one.name == MORE_EMAILS:
        type = "list"
    elif one.name in REFERENCES or one.referenced_object_type:
        type = "reference"
    elif one.field_type == "booleancheckbox":
        type = "boolean"
    elif one.type == "enumeration":
        type = "choices" if one.field_type == "checkbox" else "choice"
    fixed = one.calculated or (one.modification_metadata or {}).get("readOnlyValue")
    options = [Option(str(each.get("value")), str(each.get("label"))) for each in one.options if not each.get("hidden")]
    return Field(
        name=one.name,
        label=one.label or one.name,
        type=type,
        custom=not one.hubspot_defined,
        writable=one.name == LINK or not fixed,
        max_length=LONGEST if type == "text" else None,
        options=options if type in ("choice", "choices") else [],
    )


def new_property(kind: Kind, field: Field) -> dict[str, Any]:
    """What makes the field. Raises Rejected where HubSpot has no property of its type."""
    if field.type not in NEW_TYPES:
        raise Rejected(field.name, f"HubSpot has no property of the type {field.type}.")
    type, form = NEW_TYPES[field.type]
    return {
        "name": field.name,
        "label": field.label,
        "type": type,
        "fieldType": form,
        "groupName": f"{kind}information",
        "options": [
            {"label": one.label, "value": one.value, "hidden": False, "displayOrder": place}
            for place, one in enumerate(YES_NO if type == "bool" else field.options)
        ],
    }


def read(properties: Mapping[str, str | None]) -> dict[str, Value]:
    """The values of a record's properties, without those that are empty."""
    values: dict[str, Value] = {name: value for name, value in properties.items() if value}
    if more := properties.get(MORE_EMAILS):
        values[MORE_EMAILS] = [one.strip() for one in more.split(";") if one.strip()]
    for name in NUMBERS:
        if re.fullmatch(r"\d{1,15}(\.0+)?", text := properties.get(name) or ""):
            values[name] = int(float(text))
    return values


def written(values: Changes) -> dict[str, str]:
    """The properties that are sent for the values; the link to the company is none of them but an association."""
    return {name: _text(value) for name, value in values.items() if name != LINK}


def _text(value: Value | None) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list():
            return ";".join(value)
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)
