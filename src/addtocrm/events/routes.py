"""GET /v1/events."""

import re
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, get
from msgspec import Meta

from addtocrm.core import times
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import invalid
from addtocrm.events import service
from addtocrm.events.model import Event
from addtocrm.web.endpoint import AnyRequest, caller_of, endpoint, json, read_query

SPACED_OFFSET = re.compile(r"([Tt ]\d\S*) (\d\d(?::?\d\d)?)$", re.ASCII)
"""In a URL a bare `+` is a space: 2026-01-31T09:00:00+01:00 arrives as 2026-01-31T09:00:00 01:00."""


class EventsQuery(msgspec.Struct, frozen=True):
    since: Annotated[str | None, Meta(description="ISO 8601 time: the first page, from then on.")] = None
    cursor: Annotated[str | None, Meta(description="`next_cursor` of the page before.")] = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="Events on a page.")] = 50
    type: Annotated[list[str] | None, Meta(description="Only these types; repeat it or separate by commas.")] = None


@get(
    "/v1/events",
    opt=endpoint(
        "The feed of events", scopes=("read",), answer=list[Event], tag="Account", query=EventsQuery, endless=True
    ),
)
async def events(request: AnyRequest, pool: Pool) -> Response[bytes]:
    """Everything that happened in the account, oldest first. Start with `since`, go on with `cursor`; each
    event comes exactly once."""
    query = read_query(request, EventsQuery)
    if query.since and query.cursor:
        raise invalid("since", "goes without `cursor`: a cursor has its own place.")
    page = await service.page(
        pool,
        caller_of(request).caller.account_id,
        since=_time(query.since) if query.since else None,
        cursor=query.cursor,
        types=[name.strip() for given in query.type for name in given.split(",")] if query.type else None,
        limit=query.limit,
    )
    return json(page)


def _time(text: str) -> datetime:
    try:
        return times.parse(SPACED_OFFSET.sub(r"\1+\2", text))
    except ValueError:
        raise invalid("since", "must be an ISO 8601 time such as 2026-01-31T09:00:00Z.") from None


handlers = [events]
