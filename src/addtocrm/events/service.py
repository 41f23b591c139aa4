"""The rules of the feed."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import asyncpg
import msgspec
import structlog
from msgspec import Meta

from addtocrm.core import cursors
from addtocrm.core.background import repeat
from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.errors import invalid
from addtocrm.core.ids import new_id
from addtocrm.core.times import rfc3339
from addtocrm.events import store
from addtocrm.events.model import EVENT_TYPES, Event, EventPage, EventType, Shown

log = structlog.get_logger()

BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
END = datetime.max.replace(tzinfo=UTC)
LAST_ID = "~"
"""After every id, so that a cursor may stand behind all events of a time."""
PUBLISH_SECONDS = 0.5
PAUSES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Before each try of a reader to publish, while another holds the feed: mostly who publishes, for milliseconds."""
ANEW_SECONDS = 3600.0
"""After so long, what was published before is not relied on once: the database may have been restored meanwhile."""
DELETE_SECONDS = 3600.0
DELETED_AT_ONCE = 1000
LOOKED_AT = 10_000
"""Events that are looked through for one page of those by somebody."""


async def append(
    connection: Connection,
    account_id: str,
    type: EventType,
    actor: str,
    request_id: str | None,
    data: Mapping[str, Any],
) -> None:
    """Records an event in the transaction of `connection`; it is in the feed once that commits."""
    await append_many(connection, account_id, actor, request_id, [(type, data)])


async def append_many(
    connection: Connection,
    account_id: str,
    actor: str,
    request_id: str | None,
    events: Sequence[tuple[EventType, Mapping[str, Any]]],
) -> None:
    """Records several events, in this order."""
    rows = [
        (new_id("evt"), account_id, type, actor, request_id, msgspec.json.encode(data).decode())
        for type, data in events
    ]
    await store.append(connection, rows)


async def page(
    pool: Pool,
    account_id: str,
    *,
    since: datetime | None = None,
    cursor: str | None = None,
    types: Sequence[str] | None = None,
    limit: int = 50,
) -> EventPage:
    """The events after `cursor`, else from `since` on, else from the first; oldest first.

    A cursor encodes (inserted, id); behind the last page of some `types` it stands where was looked, however many
    events of other types are before that. Raises ApiError for a cursor or type that is none.
    """
    wanted = set(types or ())
    unknown = sorted(wanted - set(EVENT_TYPES))
    if unknown:
        raise invalid("type", f"{unknown[0]} is not an event type; there are {', '.join(EVENT_TYPES)}.")
    after = (since or BEGINNING, "") if cursor is None else _place(cursor)
    await _publish(pool)
    rows, complete_until = await store.page(pool, account_id, after, sorted(wanted), limit)
    if rows:
        after = (rows[-1]["inserted"], rows[-1]["id"])
    if wanted and len(rows) < limit:
        after = max(after, (complete_until, LAST_ID))
    return EventPage([_event(row) for row in rows], cursors.encode(after))


async def _publish(pool: Pool) -> None:
    """Publishes for a reader, who finds in the feed what was committed before. Where another holds the feed for long
    the reader has what is in it, and what comes later stands behind that; no connection is kept meanwhile."""
    for pause in PAUSES:
        await asyncio.sleep(pause)
        if await store.publish(pool) is not None:
            return


async def latest(
    pool: Pool, account_id: str, *, type: str | None = None, limit: int = 50
) -> tuple[list[Event], str | None]:
    """The latest events (of one type, or all), and the cursor of those before them."""
    shown = await browse(pool, account_id, type=type, limit=limit)
    return shown.events, shown.before


async def browse(
    pool: Pool,
    account_id: str,
    *,
    before: str | None = None,
    after: str | None = None,
    type: str | None = None,
    actor: str | None = None,
    limit: int = 50,
) -> Shown:
    """The events next to a cursor, else the latest, of one type and actor, or of all. Raises ApiError for a cursor or
    type that is none."""
    if type is not None and type not in EVENT_TYPES:
        raise invalid("type", f"{type} is not an event type; there are {', '.join(EVENT_TYPES)}.")
    later = after is not None
    cursor = after or before
    await _publish(pool)
    looked_at = LOOKED_AT if actor else limit + 1
    place = _place(cursor) if cursor else (END, "")
    rows = await store.beside(pool, account_id, place, type, actor, looked_at, limit + 1, later=later)
    found = [row for row in rows if row["id"]][:limit]
    if len(rows) > limit:
        beyond, reached = _cursor(found[-1]["inserted"], found[-1]["id"]), None
    elif rows[0]["count"] == looked_at:
        beyond, reached = _cursor(rows[0]["last_inserted"], rows[0]["last_id"]), rfc3339(rows[0]["last_inserted"])
    else:
        beyond, reached = None, None
    back = None if cursor is None else _cursor(found[0]["inserted"], found[0]["id"]) if found else cursor
    events = [_event(row) for row in found]
    return Shown(events[::-1], back, beyond, reached) if later else Shown(events, beyond, back, reached)


def _cursor(inserted: datetime, id: str) -> str:
    return cursors.encode((inserted, id))


async def of_request(pool: Pool, account_id: str, request_id: str, limit: int) -> list[Event]:
    """The first events that a request led to, also by the job that it began."""
    await _publish(pool)
    return [_event(row) for row in await store.of_request(pool, account_id, request_id, limit)]


def _place(cursor: str) -> tuple[datetime, str]:
    inserted, id = cursors.decode(cursor, tuple[Annotated[datetime, Meta(tz=True)], str])
    try:
        return inserted.astimezone(UTC), id
    except OverflowError:
        raise invalid("cursor", "is not a cursor of this collection; leave it out to start over.") from None


def _event(row: asyncpg.Record) -> Event:
    return Event(
        row["id"],
        row["type"],
        rfc3339(row["inserted"]),
        row["actor"],
        row["request_id"],
        msgspec.json.decode(row["data"]),
    )


async def waiting(pool: Pool, most: int = 100_000) -> int:
    """How many events are not in the feed yet, up to `most`."""
    return await store.waiting(pool, most)


async def keep_publishing(pool: Pool) -> None:
    """Publishes for as long as the process lives, so that an event's time is that of its happening."""
    loop = asyncio.get_running_loop()
    begun_anew = -ANEW_SECONDS

    async def publish() -> None:
        nonlocal begun_anew
        anew = loop.time() - begun_anew >= ANEW_SECONDS
        published = await store.publish(pool, anew=anew)
        if anew and published is not None:
            begun_anew = loop.time()

    await repeat("publish_events", PUBLISH_SECONDS, publish)


async def keep_deleting(pool: Pool, days: int) -> None:
    """Deletes events that are older than `days`, for as long as the process lives, a few at a time."""

    async def delete() -> None:
        since, until = BEGINNING, datetime.now(UTC) - timedelta(days=days)
        while since < until:
            deleted, since = await store.delete_old(pool, since, until, DELETED_AT_ONCE)
            if deleted < DELETED_AT_ONCE:
                break

    await repeat("delete_events", DELETE_SECONDS, delete)
