"""Zoho's modules and fields: how they are described, and values from and to Zoho's form."""

from collections.abc import Mapping, Set
from typing import Any

from addtocrm.crm.connectors.zoho.answers import as_dict, inner_rows, text
from addtocrm.crm.contract import Changes, Field, Fields, Option
from addtocrm.crm.failures import Rejected
from addtocrm.crm.kinds import Kind

MODULES: Mapping[Kind, str] = {"contact": "Contacts", "lead": "Leads", "company": "Accounts"}
KINDS: Mapping[str, Kind] = {module: kind for kind, module in MODULES.items()}
REFERENCES = {"Contacts": {"Account_Name", "Owner"}, "Leads": {"Owner"}, "Accounts": {"Parent_Account", "Owner"}}
REQUIRED = {"Contacts": "Last_Name", "Leads": "Last_Name", "Accounts": "Account_Name"}
NO_NAME = "-"
OWN = ("id", "Modified_Time", "Converted__s")
COMPANY_NAME, COMPANY_WEBSITE = "Account_Name.Account_Name", "Account_Name.Website"
OF_COMPANY = (
    Field(name=COMPANY_NAME, label="Account name", type="text", writable=False),
    Field(name=COMPANY_WEBSITE, label="Account website", type="text", writable=False),
)
"""Fields of a contact that are its company's."""
TYPES: Mapping[str, Any] = {
    **dict.fromkeys(("text", "textarea", "email", "phone", "website", "autonumber"), "text"),
    **dict.fromkeys(("integer", "bigint", "double", "currency", "percent"), "number"),
    "date": "date",
    "datetime": "datetime",
    **dict.fromkeys(("lookup", "ownerlookup", "userlookup"), "reference"),
    "boolean": "boolean",
    "picklist": "choice",
    "multiselectpicklist": "choices",
}
MADE_AS = {"text": "text", "number": "double", "boolean": "boolean", "date": "date"}


def described(row: Mapping[str, Any]) -> Field:
    """The field that Zoho describes by `row`. Raises Unavailable."""
    operations = as_dict(row.get("operation_type"))
    closed = row.get("read_only") or row.get("field_read_only") or not operations.get("api_update", True)
    type = TYPES.get(str(row.get("data_type")), "text")
    options = [
        Option(text(one, "actual_value"), str(one.get("display_value"))) for one in inner_rows(row, "pick_list_values")
    ]
    return Field(
        name=text(row, "api_name"),
        label=str(row.get("field_label")),
        type=type,
        custom=row.get("custom_field") is True,
        writable=not closed,
        form="single" if row.get("data_type") in ("email", "phone") else None,
        max_length=row["length"] if type == "text" and isinstance(row.get("length"), int) else None,
        options=[option for option in options if option.value != "-None-"],
    )


def wanted(field: Field) -> dict[str, Any]:
    """What is sent to make `field`. Raises Rejected where Zoho makes none of its type."""
    if field.type not in MADE_AS:
        raise Rejected("", f"A field of type {field.type} cannot be made in Zoho CRM.")
    body: dict[str, Any] = {"field_label": field.label, "data_type": MADE_AS[field.type]}
    if field.type == "text":
        body["length"] = min(field.max_length or 255, 255)
    return body


def values(row: Mapping[str, Any]) -> Fields:
    """What is not empty in a row of Zoho's, or in fields as they were sent; a reference is the id of its record."""
    plain = {name: as_dict(value).get("id") if isinstance(value, dict) else value for name, value in row.items()}
    return {
        name: value
        for name, value in plain.items()
        if name not in OWN and value not in (None, "", []) and (name, value) != ("Last_Name", NO_NAME)
    }


def stand_in(module: str, row: Fields) -> dict[str, Any]:
    """What a new record is called without a name. A company of which nothing is known has none, which Zoho refuses."""
    called = row.get("Website") if module == "Accounts" else NO_NAME
    return {REQUIRED[module]: called} if called else {}


def body(module: str, changes: Changes, references: Set[str]) -> dict[str, Any]:
    """What is sent to write `changes`; `references` are the fields whose values are ids of records."""
    sent: dict[str, Any] = {}
    for name, value in changes.items():
        if value is None:
            sent[name] = NO_NAME if name == REQUIRED[module] else None
        else:
            sent[name] = {"id": value} if name in references else value
    return sent
