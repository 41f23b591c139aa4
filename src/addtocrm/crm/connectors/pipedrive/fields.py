"""Pipedrive's fields: which are read, and how they are described and made."""

import re
from collections.abc import Mapping
from typing import Literal

from addtocrm.crm.connectors.pipedrive.answers import CONTACT_SYNC, Meta, Part, Raw
from addtocrm.crm.contract import Field, Option
from addtocrm.crm.failures import Rejected
from addtocrm.crm.kinds import Kind

KEY = re.compile(r"[0-9a-f]{40}")
"""The name of a custom field."""
CHANNELS = ("emails", "phones")
DATA = ("industry", "annual_revenue", "employee_count")
READ: Mapping[str, tuple[str, ...]] = {
    "contact": ("name", "first_name", "last_name", "owner_id", "org_id", "label_ids", *CHANNELS, *CONTACT_SYNC),
    "company": ("name", "owner_id", "label_ids", "address", "website", "linkedin", *DATA),
}
TYPES: Mapping[str, Literal["text", "number", "date", "choice", "choices"]] = {
    **dict.fromkeys(("varchar", "varchar_auto", "text", "phone"), "text"),
    **dict.fromkeys(("double", "int", "user", "org", "people"), "number"),
    "date": "date",
    "enum": "choice",
    "set": "choices",
}
LENGTHS: Mapping[str, int] = {"varchar": 255, "varchar_auto": 255, "text": 65_000}
MADE: Mapping[str, str] = {"text": "varchar", "number": "double", "date": "date", "choice": "enum", "choices": "set"}
ADDRESS = ("locality", "admin_area_level_1", "country")
OTHER_PARTS = (
    "value until currency timezone_name admin_area_level_2 sublocality route street_number subpremise postal_code"
)
SENT = frozenset((*ADDRESS, *OTHER_PARTS.split()))
"""The parts of composites that can be written."""
ALWAYS: Mapping[str, tuple[Field, ...]] = {
    "contact": (
        Field(name="name", label="Name", type="text", max_length=255),
        Field(name="first_name", label="First name", type="text", writable=False),
        Field(name="last_name", label="Last name", type="text", writable=False),
        Field(name="emails", label="Email", type="list"),
        Field(name="phones", label="Phone", type="list"),
        Field(name="org_id", label="Organization", type="reference"),
        Field(name="owner_id", label="Owner", type="reference"),
        Field(name="organization.name", label="Organization's name", type="text", writable=False),
        Field(name="organization.website", label="Organization's website", type="text", writable=False),
    ),
    "company": (
        Field(name="name", label="Name", type="text", max_length=255),
        Field(name="owner_id", label="Owner", type="reference"),
    ),
}


def described(kind: Kind, meta: Meta) -> list[Field]:
    """The fields that one of Pipedrive's is, of which a composite has several; none where we do not read it."""
    name, label = meta.field_code, meta.field_name
    if any(name == one.name for one in ALWAYS[kind]) or not (meta.is_custom_field or name in READ[kind]):
        return []
    if type := TYPES.get(meta.field_type):
        field = Field(
            name=name,
            label=label,
            type=type,
            custom=meta.is_custom_field,
            writable=meta.is_writable,
            max_length=LENGTHS.get(meta.field_type),
            options=[Option(str(one.id), one.label) for one in meta.options or []],
        )
        return [field]
    return [
        Field(
            name=f"{name}.{part.field_code}",
            label=f"{label}: {part.field_code.replace('_', ' ')}",
            type="number" if meta.field_type == "monetary" and part.field_code == "value" else "text",
            custom=meta.is_custom_field,
            writable=meta.is_writable and part.field_code in SENT,
        )
        for part in meta.subfields or [Part("value")]
    ]


def custom_field(field: Field) -> Raw:
    """A new custom field as Pipedrive takes it. Raises Rejected for a type that it does not have."""
    type = "text" if (field.max_length or 0) > 255 and field.type == "text" else MADE.get(field.type)
    if type is None:
        raise Rejected(field.name, f"Pipedrive has no custom field of the type {field.type}.")
    body: Raw = {"field_name": field.label, "field_type": type}
    if field.options:
        body["options"] = [{"label": option.label} for option in field.options]
    return body
