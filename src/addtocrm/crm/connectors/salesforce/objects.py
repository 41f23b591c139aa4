"""Contacts, leads and accounts: their fields, and what of ours they get."""

from typing import Any, cast

import msgspec

from addtocrm.crm.contract import Changes, Field, Kind, Option, Rejected, Rule, Value

OBJECTS: dict[Kind, str] = {"contact": "Contact", "lead": "Lead", "company": "Account"}
KINDS: dict[str, Kind] = {"003": "contact", "00Q": "lead", "001": "company"}
"""By the beginning of an id."""
UNKNOWN = "[not provided]"
"""What a field holds that must not be empty, and of which nothing is known; it is read as empty."""
REQUIRED = {"Contact": ("LastName",), "Lead": ("LastName", "Company"), "Account": ("Name",)}
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
LINKEDIN = "LinkedIn_URL__c"


def _rules(*rules: str) -> tuple[Rule, ...]:
    """Rules of the form `their field: ours, ours`; `<` before theirs says that it is read only."""
    split = [rule.split(": ") for rule in rules]
    return tuple(
        Rule(field=theirs.lstrip("<"), from_=tuple(ours.split(", ")), read_only=theirs.startswith("<"))
        for theirs, ours in split
    )


BOTH = (f"{LINKEDIN}: linkedin_url", "OwnerId: owner", "Phone: phone")
PERSON = (*BOTH, "Email: email", "FirstName: first_name", "LastName: last_name", "Title: job_title")
PLACE = (("City", "city"), ("State", "region"), ("Country", "country"))
MAPPING: dict[Kind, tuple[Rule, ...]] = {
    "contact": _rules(
        *PERSON,
        *(f"Mailing{theirs}: {ours}" for theirs, ours in PLACE),
        "Department: department",
        "AccountId: company_id",
        "<Account.Name: company_name",
        "<Account.Website: company_domain",
    ),
    "lead": _rules(
        *PERSON, *(f"{theirs}: {ours}" for theirs, ours in PLACE), "Company: company_name", "Website: company_domain"
    ),
    "company": _rules(
        *BOTH,
        *(f"Billing{theirs}: {ours}" for theirs, ours in PLACE),
        "Name: name",
        "Website: website, domain",
        "NumberOfEmployees: employee_count",
        "Description: description",
    ),
}


LINKEDIN_FIELDS: dict[Kind, Field] = {
    kind: Field(name=LINKEDIN, label="LinkedIn URL", type="text", maps_to="linkedin_url", custom=True, max_length=255)
    for kind in MAPPING
}


class Picked(msgspec.Struct):
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
    fields: list[Described]


def fields_of(kind: Kind, described: list[Described]) -> list[Field]:
    by_name = {one.name: one for one in described}
    found = [_field(kind, one, by_name.get(f"{one.name}Code")) for one in described if one.type in TYPES]
    linked = [rule for rule in MAPPING[kind] if "." in rule.field]
    return found + [
        Field(name=rule.field, label=rule.field.replace(".", " "), type="text", maps_to=rule.from_[0], writable=False)
        for rule in linked
    ]


def _field(kind: Kind, one: Described, code: Described | None) -> Field:
    """The field as ours. Of a state or country whose code is a picklist, the names are the choices."""
    named = code if code and code.type == "picklist" and one.type == "string" else None
    type = "choice" if named else TYPES[one.type]
    picked = [pick for pick in (named or one).picklist_values if pick.active and pick.value]
    options = {(pick.label if named else pick.value) or "": pick.label or pick.value or "" for pick in picked}
    return Field(
        name=one.name,
        label=one.label or one.name,
        type=cast(Any, type),
        maps_to=next((rule.from_[0] for rule in MAPPING[kind] if rule.field == one.name), None),
        custom=one.custom,
        writable=one.createable and one.updateable,
        max_length=one.length or None if type == "text" else None,
        options=[Option(value, label) for value, label in options.items()],
    )


def new_field(name: str, field: Field) -> dict[str, Any]:
    """What makes the custom field; one for LinkedIn URLs is an external id, so that it is indexed."""
    if field.type not in MADE:
        raise Rejected(field.name, f"A field of type {field.type} has to be made in Salesforce.")
    indexed = {"externalId": True} if field.maps_to == "linkedin_url" else {}
    return {"FullName": f"{name}.{field.name}", "Metadata": {"label": field.label, **MADE[field.type], **indexed}}


def sent(name: str, changes: Changes, *, new: bool = False) -> dict[str, Any]:
    """The fields as they are sent; what must not be empty is unknown where it would be."""
    body: dict[str, Any] = dict.fromkeys(REQUIRED[name], None) if new else {}
    body |= {field: _plain(value) for field, value in changes.items()}
    return body | {field: UNKNOWN for field in REQUIRED[name] if field in body and body[field] in (None, "")}


def _plain(value: Value | None) -> Value | None:
    return ";".join(value) if isinstance(value, list) else value


def read(row: dict[str, Any]) -> dict[str, Value]:
    """The fields of a row that are not empty, those of a record that it refers to as `Account.Name`."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": held for inner, held in cast(dict[str, Any], value).items()}
        else:
            flat[name] = value
    return {
        name: value
        for name, value in flat.items()
        if not name.startswith("attributes.")
        and isinstance(value, str | int | float | bool)
        and value not in ("", UNKNOWN)
    }
