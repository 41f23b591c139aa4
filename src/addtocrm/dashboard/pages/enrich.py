"""Enriching people: who is asked for becomes a job, whose page has the results."""

import asyncio

from litestar import Response, get, post
from litestar.response import Redirect
from msgspec.structs import replace

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.dashboard import forms
from addtocrm.dashboard.asked import MOST, Pasted, people_of
from addtocrm.dashboard.asking import ask
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.live import Live
from addtocrm.dashboard.page import page
from addtocrm.dashboard.visitor import AnyRequest, caller_of
from addtocrm.dashboard.words import plain
from addtocrm.lookups.people import batch, service
from addtocrm.lookups.people.model import EnrichPerson
from addtocrm.lookups.service import Lookups


@get("/enrich", opt=needs(), sync_to_thread=False)
def show(request: AnyRequest) -> Response[str]:
    return page(request, "enrich.html", lines="", fault="", most=MOST)


@post("/enrich", opt=needs(), status_code=200)
async def enrich(request: AnyRequest, pool: Pool, live: Live, lookups: Lookups) -> Response[str] | Redirect:
    asked = await forms.read(request, Pasted)
    try:
        people, keys = await asyncio.to_thread(_read, asked, await forms.uploaded(request, "file"))
    except ApiError as error:
        return page(request, "enrich.html", error.status, lines=asked.lines, fault=plain(error.message), most=MOST)
    return await ask(
        *(request, pool, live, lookups, service.ENRICH, people, keys),
        lambda held: batch.submit(pool, caller_of(request), people, held),
        refresh=asked.refresh,
    )


def _read(asked: Pasted, file: bytes | None) -> tuple[list[EnrichPerson], list[str]]:
    """Who is meant, and the keys of their lookups. Raises ApiError. It runs beside the other requests, for
    there may be many."""
    people = [replace(one, refresh=asked.refresh) for one in people_of(asked.lines, file)]
    return people, [key for one in people if (key := _key(one, alone=len(people) == 1))]


def _key(person: EnrichPerson, *, alone: bool) -> str | None:
    """What makes two the same lookup; None for who asks for nobody, which is told of the item. Raises ApiError where
    it is the only one."""
    try:
        return service.lookup_key(service.query_of(person))
    except ApiError:
        if alone:
            raise
        return None


handlers = (show, enrich)
