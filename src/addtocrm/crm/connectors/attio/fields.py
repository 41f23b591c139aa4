"""Attio's attributes as fields, and new fields as attributes."""

from collections.abc import Mapping
from typing import Any

import msgspec

from addtocrm.crm.connectors.attio.attributes import KINDS, PARTS, Attribute
from addtocrm.crm.contract import Field, Option
from addtocrm.crm.failures import Rejected
from addtocrm.crm.kinds import Kind

MADE: Mapping[str, str] = {
    "text": "text",
    "number": "number",
    "boolean": "checkbox",
    "date": "date",
    "choice": "select",
    "choices": "select",
}


def fields_of(kind: Kind, attribute: Attribute, options: list[Option]) -> list[Field]:
    """The fields that an attribute with these options is: one, one for each of its parts, or none."""
    slug, form = attribute.api_slug, attribute.type
    if form == "interaction":
        return []
    plain = Field(
        name=slug,
        label=attribute.title or slug,
        type=KINDS.get(form, "text"),
        custom=not attribute.is_system_attribute,
        writable=attribute.is_writable and _can_write(kind, attribute),
        options=options,
        form="e164" if form == "phone-number" else None,
    )
    if form in PARTS:
        return [_part(plain, part) for part in PARTS[form]]
    if attribute.is_multiselect:
        return [msgspec.structs.replace(plain, type="choices" if plain.type == "choice" else "list")]
    return [plain]


def _can_write(kind: Kind, attribute: Attribute) -> bool:
    if attribute.type == "record-reference":
        return (kind, attribute.api_slug) == ("contact", "company")
    return not (attribute.type == "actor-reference" and attribute.is_multiselect)


def _part(whole: Field, part: str) -> Field:
    name, label = f"{whole.name}.{part}", f"{whole.label}: {part.replace('_', ' ')}"
    form = "iso2" if part == "country_code" else None
    return msgspec.structs.replace(whole, name=name, label=label, form=form)


def new_attribute(field: Field) -> dict[str, Any]:
    """The attribute to make for a new field. Raises Rejected where Attio has none of its type."""
    if field.type not in MADE:
        raise Rejected(field.name, f"Attio cannot make a field of the type {field.type}.")
    return {
        "title": field.label,
        "description": None,
        "api_slug": field.name,
        "type": MADE[field.type],
        "config": {},
        "is_required": False,
        "is_unique": False,
        "is_multiselect": field.type == "choices",
    }
