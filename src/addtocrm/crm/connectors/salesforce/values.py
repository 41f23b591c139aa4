"""A record's fields to and from the rows of Salesforce."""

from typing import Any, cast

from addtocrm.crm.contract import Changes, Value

UNKNOWN = "[not provided]"
"""What a field holds that must not be empty, and of which nothing is known; it is read as empty."""
REQUIRED = {"Contact": ("LastName",), "Lead": ("LastName", "Company"), "Account": ("Name",)}


def sent(name: str, changes: Changes, *, new: bool = False) -> dict[str, Any]:
    """The fields as they are sent to the object `name`; what must not be empty is unknown where it would be."""
    body: dict[str, Any] = dict.fromkeys(REQUIRED[name]) if new else {}
    body |= {field: ";".join(value) if isinstance(value, list) else value for field, value in changes.items()}
    return body | {field: UNKNOWN for field in REQUIRED[name] if field in body and body[field] in (None, "")}


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
