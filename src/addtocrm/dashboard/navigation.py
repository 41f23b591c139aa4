"""The way to each page."""

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """A page in the menu; `key` is the letter that leads to it after `g`."""

    path: str
    title: str
    key: str


class Group(msgspec.Struct, frozen=True):
    title: str
    entries: tuple[Entry, ...]


OPERATOR = Group("Deployment", (Entry("/dashboard/operator", "Operator", "a"),))


def menu(*, operator: bool) -> tuple[Group, ...]:
    """The pages of a member, or of one who runs the deployment."""
    return (*MENU, OPERATOR) if operator else MENU


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
            Entry("/dashboard/jobs", "Jobs", "j"),
        ),
    ),
    Group(
        "Account",
        (
            Entry("/dashboard/connection", "Connection", "n"),
            Entry("/dashboard/keys", "API keys", "k"),
            Entry("/dashboard/requests", "Requests", "q"),
            Entry("/dashboard/events", "Events", "t"),
            Entry("/dashboard/usage", "Usage", "u"),
            Entry("/dashboard/members", "Members", "m"),
        ),
    ),
    Group(
        "Docs",
        (
            Entry("/dashboard/quickstart", "Quickstart", "d"),
            Entry("/dashboard/automations", "Zapier and Make", "z"),
            Entry("/dashboard/errors", "Errors", "r"),
            Entry("/docs", "API reference", "f"),
        ),
    ),
)
