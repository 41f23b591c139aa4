"""What an event is."""

from typing import Any, Literal, get_args

import msgspec

EventType = Literal[
    "person.enriched",
    "company.looked_up",
    "email.verified",
    "people.searched",
    "crm.contact.created",
    "crm.contact.updated",
    "crm.company.created",
    "crm.company.updated",
    "crm.connected",
    "crm.switched",
    "crm.disconnected",
    "crm.token_expired",
    "list.created",
    "list.updated",
    "list.deleted",
    "list.member.added",
    "list.member.removed",
    "job.completed",
    "job.failed",
    "credits.low",
    "credits.exhausted",
    "key.created",
    "key.revoked",
    "key.suspended",
    "key.reactivated",
]
EVENT_TYPES: tuple[str, ...] = get_args(EventType)


class Event(msgspec.Struct, frozen=True):
    """Something that happened. `actor` is `key:<id>`, `user:<id>`, `operator` or `system`."""

    id: str
    type: EventType
    created_at: str
    actor: str
    request_id: str | None
    data: dict[str, Any]


class Shown(msgspec.Struct, frozen=True):
    """A page of events, the latest first, with the cursors of those `before` and `after` them, where there are any.
    Where few fit, not all are looked through for one page: then `reached` says up to when they were."""

    events: list[Event]
    before: str | None
    after: str | None
    reached: str | None


class EventPage(msgspec.Struct, frozen=True):
    """A page of the feed; `next_cursor` is always there, so that a poller keeps its place."""

    data: list[Event]
    next_cursor: str
