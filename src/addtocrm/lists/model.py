"""What a list is."""

from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from addtocrm.crm.merge import OnConflict
from addtocrm.crm.model import ExpectedCrm, OwnerRef, PersonInput

ListName = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")]
Description = Annotated[str, Meta(max_length=2000)]
Note = Annotated[str, Meta(max_length=10_000)]


class PeopleList(msgspec.Struct, frozen=True):
    id: str
    name: str
    description: str | None
    members: int
    created_at: str
    updated_at: str


class ListChoice(NamedTuple):
    """A list as one of those to choose from."""

    id: str
    name: str


class Member(msgspec.Struct, frozen=True):
    id: str
    added_at: str
    person: dict[str, Any]
    note: Annotated[str | None, Meta(description="What somebody noted about this member.")] = None


class NewList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: ListName
    description: Description | None = None


class ChangedList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Only what is sent changes; `description: null` empties it."""

    name: ListName | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET


class NewMembers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    people: Annotated[
        list[PersonInput],
        Meta(min_length=1, max_length=1000, description="People as enrichment answers them."),
    ]


class ChangedMember(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`note: null` empties it."""

    note: Note | None


class AddedMembers(msgspec.Struct, frozen=True):
    """`members` has each person sent, in their order; `existing` were on the list already."""

    added: int
    existing: int
    members: list[Member]


class Push(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the list's people are written to the CRM (as in POST /v1/crm/contacts)."""

    on_conflict: OnConflict = "fill_empty"
    owner: OwnerRef = None
    list: Annotated[Annotated[str, Meta(max_length=200)] | None, Meta(description="A list of the CRM to be on.")] = None
    expected_crm: ExpectedCrm = None


class PushOptions(msgspec.Struct, frozen=True):
    """What a push keeps of itself: how it writes, and to which CRM alone. One from before has no `connection`."""

    on_conflict: OnConflict = "fill_empty"
    owner: str | None = None
    list: str | None = None
    expected_crm: str | None = None
    connection: str | None = None
