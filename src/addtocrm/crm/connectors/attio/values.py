"""Attio's values: how they are described, read, written and sought, by the types of attributes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from addtocrm.crm import contract
from addtocrm.crm.contract import Changes, Field, Kind, Rule, Update, Value

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
KINDS: Mapping[str, Literal["number", "boolean", "date", "choice", "reference"]] = {
    **dict.fromkeys(("number", "currency", "rating"), "number"),
    **dict.fromkeys(("date", "timestamp"), "date"),
    **dict.fromkeys(("select", "status"), "choice"),
    **dict.fromkeys(("record-reference", "actor-reference"), "reference"),
    "checkbox": "boolean",
}
COMPANY: Mapping[str, str] = {"company.name": "name", "company.domain": "domains"}
"""Fields of a contact that are its company's."""
OF_COMPANY = (
    Field(name="company.name", label="Company name", type="text", writable=False),
    Field(name="company.domain", label="Company domains", type="list", writable=False),
)


class Attribute(msgspec.Struct, frozen=True):
    api_slug: str
    type: str
    is_multiselect: bool = False
    title: str = ""
    is_writable: bool = True
    is_system_attribute: bool = True
    is_archived: bool = False


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


PLACES = (
    Rule(field="primary_location.locality", from_=("city",)),
    Rule(field="primary_location.region", from_=("region",)),
    Rule(field="primary_location.country_code", from_=("country",)),
    Rule(field="linkedin", from_=("linkedin_url",)),
)
MAPPING: Mapping[Kind, tuple[Rule, ...]] = {
    "contact": (
        Rule(field="name.first_name", from_=("first_name",)),
        Rule(field="name.last_name", from_=("last_name",)),
        Rule(field="name.full_name", from_=("full_name",)),
        Rule(field="email_addresses", from_=("email", "other_emails")),
        Rule(field="phone_numbers", from_=("phone", "other_phones")),
        Rule(field="job_title", from_=("job_title",)),
        Rule(field="description", from_=("headline",)),
        Rule(field="company", from_=("company_id",)),
        Rule(field="company.name", from_=("company_name",), read_only=True),
        Rule(field="company.domain", from_=("company_domain",), read_only=True),
        *PLACES,
    ),
    "company": (
        Rule(field="name", from_=("name",)),
        Rule(field="domains", from_=("domain",)),
        Rule(field="description", from_=("description",)),
        *PLACES,
    ),
}


def slug_of(field: str) -> str:
    return field.partition(".")[0]


def texts_of(value: Value | None) -> tuple[str, ...]:
    return tuple(str(one) for one in (value if isinstance(value, list) else [value] if value else []))


def joined(*names: str | None) -> str:
    return " ".join(filter(None, names))


def fields_of(kind: Kind, attribute: Attribute, options: list[contract.Option]) -> list[Field]:
    slug, form, several = attribute.api_slug, attribute.type, attribute.is_multiselect
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
        return [_part(kind, plain, part) for part in PARTS[form]]
    return [msgspec.structs.replace(plain, type="choices" if plain.type == "choice" else "list") if several else plain]


def _can_write(kind: Kind, attribute: Attribute) -> bool:
    if attribute.type == "record-reference":
        return (kind, attribute.api_slug) == ("contact", "company")
    return not (attribute.type == "actor-reference" and attribute.is_multiselect)


def _part(kind: Kind, whole: Field, part: str) -> Field:
    name, label = f"{whole.name}.{part}", f"{whole.label}: {part.replace('_', ' ')}"
    form = "iso2" if part == "country_code" else None
    return msgspec.structs.replace(whole, name=name, label=label, form=form)


def read(schema: Schema, row: Row) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for slug, attribute in schema.items():
        held = row.values.get(slug) or []
        if attribute.type in PARTS:
            parts = held[0] if held else {}
            fields |= {f"{slug}.{part}": str(parts[part]) for part in PARTS[attribute.type] if parts.get(part)}
        elif values := [value for one in held if (value := _plain(attribute.type, one)) not in (None, "")]:
            fields[slug] = [str(value) for value in values] if attribute.is_multiselect else values[0]
    return fields


def of_company(company: Row | None) -> dict[str, Value]:
    """A contact's fields that are its company's."""
    held = read(STANDARD["company"], company) if company else {}
    return {name: held[slug] for name, slug in COMPANY.items() if slug in held}


def _plain(form: str, held: Mapping[str, Any]) -> Any:
    value = held.get(PROPERTY.get(form, "value"))
    if isinstance(value, dict):
        value = msgspec.convert(value, dict[str, Any]).get("title")
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, str | int | float) else None


def written(schema: Schema, changes: Changes, held: contract.Fields) -> dict[str, list[Any]]:
    """The attributes as they shall be; those of several parts whole."""
    values: dict[str, list[Any]] = {}
    for name, value in changes.items():
        slug, _, part = name.partition(".")
        attribute = schema.get(slug)
        if attribute is None or part not in PARTS.get(attribute.type, ("",)):
            raise contract.UnknownField(name, f"Attio has no field {name}.")
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
        return {"target_object": "companies", "target_record_id": value}
    if type == "actor-reference":
        return {"referenced_actor_type": "workspace-member", "referenced_actor_id": value}
    return value


def _named(old: Mapping[str, Any], new: Mapping[str, Any], full: bool) -> dict[str, str]:
    """A name's three parts. The full name follows where another part is replaced, and alone it is the first name, as
    Attio has it of a text without a comma."""
    name = {part: str(value or "") for part, value in new.items()}
    replaced = any(old[part] and old[part] != new[part] for part in ("first_name", "last_name"))
    if not full and (replaced or not name["full_name"]):
        name["full_name"] = joined(name["first_name"], name["last_name"])
    if not name["first_name"] and not name["last_name"]:
        name["first_name"] = name["full_name"]
    return name


def changed(schema: Schema, update: Update) -> tuple[Literal["PATCH", "PUT"], dict[str, list[Any]]]:
    """How to write the changes: PATCH adds to lists and loses nothing, also what was added since they were read; PUT
    where something goes, or new values are not to stand first."""
    values = written(schema, update.changes, update.record.fields)
    added: dict[str, list[Any]] = {}
    exact = True
    for slug, wanted in values.items():
        held = update.record.fields.get(slug)
        if not schema[slug].is_multiselect:
            exact &= bool(wanted)
            continue
        now = [str(one).casefold() for one in held] if isinstance(held, list) else []
        new = [one for one in wanted if str(one).casefold() not in now]
        added[slug] = new
        order = [str(one).casefold() for one in wanted]
        kept = set(now) <= set(order) if update.guarded else order == [str(one).casefold() for one in new] + now
        exact &= bool(wanted) and kept
    if not exact:
        return "PUT", values
    return "PATCH", {slug: new for slug, wanted in values.items() if (new := added.get(slug, wanted))}


def condition(schema: Schema, term: contract.Term, exact: bool) -> dict[str, Any]:
    return {"$and": [{"$or": _conditions(schema, name, texts, exact)} for name, texts in term.items()]}


def _conditions(schema: Schema, name: str, texts: Sequence[str], exact: bool) -> list[dict[str, Any]]:
    slug, _, part = name.partition(".")
    type = schema[slug].type
    property = part or PROPERTY.get(type, "value")
    if type == "record-reference":
        return [{slug: {"target_object": "companies", "target_record_id": text}} for text in texts]
    if type in KINDS:
        return [{slug: text} for text in texts]
    if type == "domain":
        texts = list(dict.fromkeys(re.sub(r"^https?://|/.*", "", text.lower()) for text in texts))
    if type == "email-address":
        texts = [text.lower() for text in texts]
    if exact or type not in ("text", *PARTS):
        return [{slug: {property: {"$eq": text}}} for text in texts]
    lower = {text.lower(): text for text in texts}
    shortest = [text for low, text in lower.items() if not any(one != low and one in low for one in lower)]
    return [{slug: {property: {"$contains": text}}} for text in shortest]
