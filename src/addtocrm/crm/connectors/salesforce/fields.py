"""Salesforce's fields as ours, and ours as what makes them."""

from typing import Any, cast

import msgspec

from addtocrm.crm.connectors.salesforce.mapping import LINKEDIN, MAPPING
from addtocrm.crm.contract import Field, Option
from addtocrm.crm.failures import Rejected
from addtocrm.crm.kinds import Kind

TYPES: dict[str, str] = {
    **dict.fromkeys(("string", "textarea", "email", "phone", "url", "combobox"), "text"),
    **dict.fromkeys(("int", "long", "double", "currency", "percent"), "number"),
    "boolean": "boolean",
    "date": "date",
    "reference": "reference",
    "picklist": "choice",
    "multipicklist": "choices",
}
MADE: dict[str, dict[str, Any]] = {
    "text": {"type": "Text", "length": 255},
    "number": {"type": "Number", "precision": 18, "scale": 2},
    "boolean": {"type": "Checkbox", "defaultValue": "false"},
    "date": {"type": "Date"},
}
"""How fields are made, by our type."""


class Picked(msgspec.Struct):
    """An option of a picklist."""

    value: str | None = None
    label: str | None = None
    active: bool = True


class Described(msgspec.Struct, rename="camel"):
    """A field as Salesforce describes it."""

    name: str
    type: str
    label: str = ""
    length: int = 0
    custom: bool = False
    createable: bool = False
    updateable: bool = False
    filterable: bool = True
    relationship_name: str | None = None
    picklist_values: list[Picked] = []


class DescribedObject(msgspec.Struct):
    """An object as Salesforce describes it."""

    fields: list[Described]


def fields_of(kind: Kind, described: list[Described]) -> list[Field]:
    """The fields of the kind's object as ours, and those of the account that a contact is read with."""
    by_name = {one.name: one for one in described}
    found = [_field(one, by_name.get(f"{one.name}Code")) for one in described if one.type in TYPES]
    linked = [rule.field for rule in MAPPING[kind] if "." in rule.field]
    return found + [Field(name=name, label=name.replace(".", " "), type="text", writable=False) for name in linked]


def _field(one: Described, code: Described | None) -> Field:
    """The field as ours. Of a state or country whose code is a picklist, the names are the choices."""
    named = code if code and code.type == "picklist" and one.type == "string" else None
    type = "choice" if named else TYPES[one.type]
    picked = [pick for pick in (named or one).picklist_values if pick.active and pick.value]
    options = {(pick.label if named else pick.value) or "": pick.label or pick.value or "" for pick in picked}
    return Field(
        name=one.name,
        label=one.label or one.name,
        type=cast(Any, type),
        custom=one.custom,
        writable=one.createable and one.updateable,
        max_length=one.length or None if type == "text" else None,
        form="single" if one.type in ("email", "phone") else None,
        options=[Option(value, label) for value, label in options.items()],
    )


def new_field(name: str, field: Field) -> dict[str, Any]:
    """What makes the custom field of the object `name`; one for LinkedIn URLs is an external id, so that it is indexed.

    Raises Rejected for a type that is not made here.
    """
    if field.type not in MADE:
        raise Rejected(field.name, f"A field of type {field.type} has to be made in Salesforce.")
    indexed = {"externalId": True} if field.name == LINKEDIN else {}
    return {"FullName": f"{name}.{field.name}", "Metadata": {"label": field.label, **MADE[field.type], **indexed}}
