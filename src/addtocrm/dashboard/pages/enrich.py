"""Enriching people, and adding them to the CRM after a look at what will be written."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.records.person import Person
from addtocrm.crm import connections, contacts
from addtocrm.crm.batch import expected
from addtocrm.crm.merge import OnConflict
from addtocrm.crm.model import ContactWrite, PersonInput
from addtocrm.crm.setup import Setup
from addtocrm.dashboard import forms
from addtocrm.dashboard.asked import asked_of, lines_of
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, caller_of, signed_in
from addtocrm.lists import service as lists
from addtocrm.lookups.model import Answer
from addtocrm.lookups.people import batch, service
from addtocrm.lookups.service import Lookups
from addtocrm.sources.waterfall import Waterfall

MOST_LISTS = 100
MOST_LINES = 10_000


class Asked(msgspec.Struct, frozen=True):
    people: str = ""
    refresh: bool = False


class Adding(msgspec.Struct, frozen=True):
    """`who` is the line that the person was found by: it is looked up again, which is free."""

    who: str
    on_conflict: OnConflict = "fill_empty"
    expected_crm: str | None = None
    note: str | None = None
    list: str | None = None


@get("/enrich", opt=needs(), sync_to_thread=False)
def show(request: AnyRequest) -> Response[str]:
    return _page(request, people=request.query_params.get("people", ""))


@post("/enrich", opt=needs(), status_code=200)
async def enrich(request: AnyRequest, pool: Pool, lookups: Lookups, waterfall: Waterfall) -> Response[str] | Redirect:
    """One person at once; several as a job."""
    asked = await forms.read(request, Asked)
    lines = lines_of(asked.people)
    try:
        if not 0 < len(lines) <= MOST_LINES:
            raise invalid("people", f"Enter 1 to {MOST_LINES:,} people, each on a line of its own.")
        if len(lines) > 1:
            items = [msgspec.structs.replace(asked_of(line), refresh=asked.refresh) for line in lines]
            return go(f"/dashboard/jobs/{(await batch.submit(pool, caller_of(request), items)).id}")
        answer = await _answer(request, lookups, waterfall, lines[0], refresh=asked.refresh)
    except ApiError as error:
        return _page(request, error.status, people=asked.people, fault=error.message)
    known, _ = await lists.page(pool, signed_in(request).account_id, None, MOST_LISTS)
    return _page(
        request,
        people=asked.people,
        who=lines[0],
        person=msgspec.json.decode(answer.data, type=Person),
        answer=answer,
        lists=known,
    )


@post("/enrich/preview", opt=needs(), status_code=200)
async def preview(request: AnyRequest, crm: Setup, lookups: Lookups, waterfall: Waterfall) -> Response[str]:
    """What would be written and what would be kept; nothing is."""
    return await _written(request, crm, lookups, waterfall, dry_run=True)


@post("/enrich/add", opt=needs(), status_code=200)
async def add(request: AnyRequest, crm: Setup, lookups: Lookups, waterfall: Waterfall) -> Response[str]:
    return await _written(request, crm, lookups, waterfall, dry_run=False)


@post("/enrich/save", opt=needs(), status_code=200)
async def save(request: AnyRequest, pool: Pool, lookups: Lookups, waterfall: Waterfall) -> Redirect:
    """Puts the person on a list."""
    asked = await forms.read(request, Adding)
    await lists.get(pool, signed_in(request).account_id, asked.list or "")
    person = await _person(request, lookups, waterfall, asked.who)
    await lists.add(pool, caller_of(request), asked.list or "", [person])
    return go(f"/dashboard/lists/{asked.list}", said="added")


async def _written(
    request: AnyRequest, crm: Setup, lookups: Lookups, waterfall: Waterfall, *, dry_run: bool
) -> Response[str]:
    asked = await forms.read(request, Adding)
    await expected(crm.pool, signed_in(request).account_id, asked.expected_crm)
    person = await _person(request, lookups, waterfall, asked.who)
    write = ContactWrite(
        person=person,
        on_conflict=asked.on_conflict,
        note=asked.note,
        expected_crm=asked.expected_crm,
        dry_run=dry_run,
    )
    result = await contacts.upsert(crm, caller_of(request), write)
    return page(
        request,
        "added.html",
        asked=asked,
        result=result,
        label=connections.definition_named(result.crm).label,
        dry_run=dry_run,
        name=person.full_name or asked.who,
    )


async def _person(request: AnyRequest, lookups: Lookups, waterfall: Waterfall, who: str) -> PersonInput:
    """The person that a line asks for, as the CRM and lists take them. Raises ApiError."""
    answer = await _answer(request, lookups, waterfall, who)
    return msgspec.json.decode(answer.data, type=PersonInput)


async def _answer(
    request: AnyRequest, lookups: Lookups, waterfall: Waterfall, who: str, *, refresh: bool = False
) -> Answer:
    query = service.query_of(asked_of(who))
    return await service.enrich(lookups, waterfall, caller_of(request), query, refresh=refresh)


def _page(request: AnyRequest, status: int = 200, **values: Any) -> Response[str]:
    return page(request, "enrich.html", status, **{"people": "", "fault": "", "person": None, **values})


handlers = (show, enrich, preview, add, save)
