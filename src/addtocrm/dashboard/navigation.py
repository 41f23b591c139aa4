"""The way to each page."""

import msgspec

from addtocrm.tenants.members.model import Role, at_least
from addtocrm.tenants.sessions.model import Signed


class Entry(msgspec.Struct, frozen=True):
    """A page in the menu; `key` is the letter that leads to it after `g`."""

    path: str
    title: str
    key: str
    role: Role = "member"
    operator: bool = False


class Group(msgspec.Struct, frozen=True):
    title: str
    entries: tuple[Entry, ...]


MENU = (
    Group("", (Entry("/dashboard", "Overview", "o"),)),
    Group(
        "People",
        (
            Entry("/dashboard/enrich", "Enrich", "e"),
            Entry("/dashboard/search", "Search", "s"),
            Entry("/dashboard/verify", "Verify", "v"),
            Entry("/dashboard/lists", "Lists", "l"),
            Entry("/dashboard/contacts", "Contacts", "c"),
        ),
    ),
    Group(
        "Account",
        (
            Entry("/dashboard/connection", "Connection", "n"),
            Entry("/dashboard/keys", "API keys", "k"),
            Entry("/dashboard/events", "Events", "t"),
            Entry("/dashboard/usage", "Usage", "u"),
            Entry("/dashboard/members", "Members", "m"),
            Entry("/dashboard/quickstart", "Quickstart", "d"),
        ),
    ),
)


def menu(signed: Signed | None) -> list[Group]:
    """The groups of the menu with what is there for who is signed in."""
    if signed is None:
        return []
    groups = (Group(one.title, tuple(entry for entry in one.entries if _shows(signed, entry))) for one in MENU)
    return [group for group in groups if group.entries]


def _shows(signed: Signed, entry: Entry) -> bool:
    return at_least(signed.role, entry.role) and (signed.operator or not entry.operator)
