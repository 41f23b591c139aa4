"""Salesforce's objects, and which of ours they are."""

from addtocrm.crm.kinds import Kind

OBJECTS: dict[Kind, str] = {"contact": "Contact", "lead": "Lead", "company": "Account"}
KINDS: dict[str, Kind] = {"003": "contact", "00Q": "lead", "001": "company"}
"""By the beginning of an id."""


def kind_of(id: str) -> Kind | None:
    """The kind of the record with this id, None where it is of another object."""
    return KINDS.get(id[:3])
