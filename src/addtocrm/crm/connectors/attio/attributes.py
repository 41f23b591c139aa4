"""Attio's attributes: their types, how the API tells of them, and those that every workspace has."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from addtocrm.crm.contract import Value
from addtocrm.crm.kinds import Kind

PLACE = "line_1 line_2 line_3 line_4 locality region postcode country_code latitude longitude"
PARTS = {"personal-name": ("first_name", "last_name", "full_name"), "location": tuple(PLACE.split(" "))}
PROPERTY: Mapping[str, str] = {
    "email-address": "email_address",
    "phone-number": "normalized_phone_number",
    "domain": "domain",
    "currency": "currency_value",
    "record-reference": "target_record_id",
    "actor-reference": "referenced_actor_id",
    "select": "option",
    "status": "status",
}
"""What of a value is ours, of other types `value`; of an option or status its title."""
KINDS: Mapping[str, Literal["number", "boolean", "date", "datetime", "choice", "reference"]] = {
    **dict.fromkeys(("number", "currency", "rating"), "number"),
    "date": "date",
    "timestamp": "datetime",
    **dict.fromkeys(("select", "status"), "choice"),
    **dict.fromkeys(("record-reference", "actor-reference"), "reference"),
    "checkbox": "boolean",
}


class Attribute(msgspec.Struct, frozen=True):
    api_slug: str
    type: str
    is_multiselect: bool = False
    title: str = ""
    is_writable: bool = True
    is_system_attribute: bool = True
    is_archived: bool = False


Schema = Mapping[str, Attribute]


def _standard(*attributes: Attribute) -> Schema:
    both = (Attribute("description", "text"), Attribute("linkedin", "text"), Attribute("primary_location", "location"))
    return {one.api_slug: one for one in (*attributes, *both)}


STANDARD: Mapping[Kind, Schema] = {
    "contact": _standard(
        Attribute("name", "personal-name"),
        Attribute("email_addresses", "email-address", is_multiselect=True),
        Attribute("phone_numbers", "phone-number", is_multiselect=True),
        Attribute("job_title", "text"),
        Attribute("company", "record-reference"),
    ),
    "company": _standard(Attribute("name", "text"), Attribute("domains", "domain", is_multiselect=True)),
}
"""Every workspace has these (docs.attio.com/docs/standard-objects), so they are not asked for."""


def slug_of(field: str) -> str:
    """The attribute whose field, or part, `field` is."""
    return field.partition(".")[0]


def to_record(object: str, id: Value) -> dict[str, Value]:
    """A reference to the record of `object` with this id, as it is written."""
    return {"target_object": object, "target_record_id": id}


def to_member(id: Value) -> dict[str, Value]:
    """A reference to the workspace member with this id, as it is written."""
    return {"referenced_actor_type": "workspace-member", "referenced_actor_id": id}
