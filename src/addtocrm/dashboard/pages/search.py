"""Searching people. The address says whom and which page; opening it is free: it shows how many there are, and the page
itself where that is in the cache. A form, and nothing else, spends a credit."""

import re
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.countries import country
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.matching.companies import is_legal_form
from addtocrm.core.records.person import Person
from addtocrm.crm import batch
from addtocrm.crm.merge import OnConflict
from addtocrm.crm.model import ContactWrite, PersonInput
from addtocrm.dashboard import forms
from addtocrm.dashboard.asking import shown
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.live import Live
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.places import places
from addtocrm.dashboard.visitor import AnyRequest, caller_of, signed_in
from addtocrm.dashboard.words import plain
from addtocrm.lists import service as lists
from addtocrm.lookups.search import service
from addtocrm.lookups.search.model import FoundPeople, SearchFilters, SearchPeople
from addtocrm.lookups.search.service import Query
from addtocrm.lookups.service import Lookups
from addtocrm.sources.index.reader import Reader
from addtocrm.sources.titles import SENIORITIES

ON_A_PAGE = 25
TRUE = ("true", "1", "on")
VALUE = re.compile(r'\s*(?:"([^"]+)"\s*(?=,|$)|([^,]+))')
COUNTED = ("seniority", "department", "country", "industry")


class Wanted(msgspec.Struct, frozen=True):
    """Whom, and which page of them; several values of a field are separated by commas, and one that has a comma is in
    quotes."""

    job_title: str = ""
    seniority: str = ""
    department: str = ""
    company: str = ""
    industry: str = ""
    company_size: str = ""
    country: str = ""
    city: str = ""
    skills: str = ""
    keywords: str = ""
    has_email: bool = False
    cursor: str | None = None


FIELDS = Wanted.__struct_fields__


class Chosen(Wanted, frozen=True):
    """People of a page, by their ids; nobody chosen is everybody of it. `place` is that of the one whose page it is."""

    people: list[str] = []
    list: str = ""
    on_conflict: OnConflict = "fill_empty"
    place: int | None = None


@get("/search", opt=needs())
async def show(request: AnyRequest, pool: Pool, lookups: Lookups, reader: Reader) -> Response[str]:
    """How many there are, by what they are, and the page where it is in the cache; costs nothing."""
    return await _found(request, pool, lookups, reader, _given(request))


async def _found(
    request: AnyRequest,
    pool: Pool,
    lookups: Lookups,
    reader: Reader,
    wanted: Wanted,
    status: int = 200,
    **values: Any,
) -> Response[str]:
    if wanted == Wanted():
        return _page(request, wanted, status, **values)
    try:
        query = query_of(wanted)
        total = await service.count(reader, query)
        counts = await service.facets(reader, query, COUNTED)
        counts["country"] = {country(code)[0]: count for code, count in counts["country"].items()}
    except ApiError as error:
        return _page(request, wanted, error.status, fault=plain(error.message))
    account_id = signed_in(request).account_id
    kept = await lookups.kept(account_id, service.SEARCH, service.lookup_key(query))
    found = msgspec.json.decode(kept, type=FoundPeople) if kept else None
    shown = {"total": total, "counts": counts, "found": found, "people": people_of(kept) if kept else []}
    return _page(request, wanted, status, **shown, **await places(pool, account_id), **values)


@post("/search", opt=needs(), status_code=200)
async def search(request: AnyRequest, pool: Pool, lookups: Lookups, reader: Reader) -> Response[str] | Redirect:
    """Puts the page into the cache, which costs a credit unless it is there, and goes to it."""
    wanted = await forms.read(request, Wanted)
    try:
        await service.search(lookups, pool, reader, caller_of(request), query_of(wanted))
    except ApiError as error:
        return _page(request, wanted, error.status, fault=plain(error.message))
    return go(f"/dashboard/search{_address(wanted)}#found")


@get("/search/{place:int}", opt=needs())
async def show_one(request: AnyRequest, place: int, pool: Pool, lookups: Lookups) -> Response[str] | Redirect:
    """A person of a page that is in the cache."""
    wanted = _given(request)
    people = await _people(lookups, signed_in(request).account_id, wanted)
    if not 0 <= place < len(people):
        return go(f"/dashboard/search{_address(wanted)}")
    return await _one(request, pool, wanted, place, people[place])


async def _one(
    request: AnyRequest,
    pool: Pool,
    wanted: Wanted,
    place: int,
    person: Person,
    status: int = 200,
    chosen: Chosen | None = None,
    fault: str = "",
) -> Response[str]:
    """The page of a person; of a form on it that was refused with what was chosen and what is wrong."""
    return page(
        request,
        "found.html",
        status,
        fields=_fields(wanted),
        place=place,
        person=person,
        back=f"/dashboard/search{_address(wanted)}",
        chosen=chosen or Chosen(),
        fault=fault,
        **await places(pool, signed_in(request).account_id),
    )


@post("/search/save", opt=needs(), status_code=200)
async def save(request: AnyRequest, pool: Pool, lookups: Lookups, reader: Reader) -> Response[str] | Redirect:
    """Puts people of a page on a list."""
    asked = await forms.read(request, Chosen)
    try:
        await lists.add(pool, caller_of(request), asked.list, await _chosen(request, lookups, asked))
    except ApiError as error:
        return await _refused(request, pool, lookups, reader, asked, error)
    return go(f"/dashboard/lists/{asked.list}", said="added")


@post("/search/preview", opt=needs(), status_code=200)
async def preview(
    request: AnyRequest, pool: Pool, lookups: Lookups, reader: Reader, live: Live
) -> Response[str] | Redirect:
    """Goes to what would be written to the CRM of people of a page; nothing is."""
    asked = await forms.read(request, Chosen)
    try:
        people = await _chosen(request, lookups, asked)
        writes = [ContactWrite(person=person, on_conflict=asked.on_conflict, dry_run=True) for person in people]
        job = await batch.submit(pool, caller_of(request), writes)
    except ApiError as error:
        return await _refused(request, pool, lookups, reader, asked, error)
    return await shown(request, pool, live, job)


async def _refused(
    request: AnyRequest, pool: Pool, lookups: Lookups, reader: Reader, asked: Chosen, error: ApiError
) -> Response[str]:
    """The page that the form is on again, with what was chosen."""
    wanted, fault = msgspec.convert(_fields(asked), Wanted), plain(error.message)
    if asked.place is not None:
        people = await _people(lookups, signed_in(request).account_id, wanted)
        there = people[asked.place : asked.place + 1]
        if there and asked.people == [there[0].id]:
            return await _one(request, pool, wanted, asked.place, there[0], error.status, asked, fault)
    return await _found(request, pool, lookups, reader, wanted, error.status, chosen=asked, fault=fault)


def query_of(wanted: Wanted) -> Query:
    """The search that a form asks for. Raises ApiError."""
    companies = _companies(wanted.company)
    given: dict[str, Any] = {
        "job_title": _values(wanted.job_title),
        "seniority": _values(wanted.seniority),
        "department": _values(wanted.department),
        "company_domain": [one for one in companies if "." in one and " " not in one],
        "company_name": [one for one in companies if "." not in one or " " in one],
        "industry": _values(wanted.industry),
        "company_size": _values(wanted.company_size),
        "country": _values(wanted.country),
        "city": _values(wanted.city),
        "skills": _values(wanted.skills),
        "keywords": _values(wanted.keywords),
    }
    filters = SearchFilters(
        **{name: values for name, values in given.items() if values}, has_email=True if wanted.has_email else None
    )
    return service.query_of(SearchPeople(filters=filters, limit=ON_A_PAGE, cursor=wanted.cursor))


def people_of(page: bytes) -> list[Person]:
    return msgspec.json.decode(msgspec.json.decode(page, type=FoundPeople).data, type=list[Person])


def _values(text: str) -> list[str]:
    """The values of a field: with commas between, and in quotes where one has a comma."""
    given = (quoted or plain for quoted, plain in VALUE.findall(text))
    return [one.strip()[:200] for one in given if one.strip()][:100]


def _companies(text: str) -> list[str]:
    """As `_values`; a legal form behind a comma is part of the name before it (`Acme, Inc.`)."""
    found: list[str] = []
    for one in _values(text):
        if found and is_legal_form(one):
            found[-1] = f"{found[-1]}, {one}"
        else:
            found.append(one)
    return found


def _quoted(value: str) -> str:
    return f'"{value}"' if "," in value else value


def _given(request: AnyRequest) -> Wanted:
    """What the address says."""
    fields = {name: request.query_params.get(name, "")[:2000] for name in FIELDS}
    fields["has_email"] = "true" if fields["has_email"].lower() in TRUE else ""
    return msgspec.convert({name: text for name, text in fields.items() if text}, Wanted, strict=False)


def _fields(wanted: Wanted) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(wanted).items() if value and name in FIELDS}


def _address(wanted: Wanted, **changes: Any) -> str:
    values = {**_fields(wanted), **changes}
    given = {name: "true" if value is True else value for name, value in values.items() if value}
    return f"?{urlencode(given)}" if given else ""


async def _people(lookups: Lookups, account_id: str, wanted: Wanted) -> list[Person]:
    """The people of a page that is in the cache; none where it is not."""
    kept = await lookups.kept(account_id, service.SEARCH, service.lookup_key(query_of(wanted)))
    return people_of(kept) if kept else []


async def _chosen(request: AnyRequest, lookups: Lookups, asked: Chosen) -> list[PersonInput]:
    people = await _people(lookups, signed_in(request).account_id, asked)
    if not people:
        raise invalid("", "This page is not in the cache any more. Search again; the page costs 1 credit.")
    if asked.people:
        there = {person.id: person for person in people}
        if not there.keys() >= set(asked.people):
            raise invalid("", "Other people are on this page by now. Open it again and choose among them.")
        people = [there[id] for id in dict.fromkeys(asked.people)]
    return [msgspec.convert(msgspec.to_builtins(person), PersonInput) for person in people]


def _links(wanted: Wanted) -> dict[str, Any]:
    """The addresses of the search with something changed, from its first page on, and of the people of this page."""

    def address(name: str, value: str) -> str:
        return _address(wanted, **{"cursor": None, name: _quoted(value)})

    def address_of(place: int) -> str:
        return f"/dashboard/search/{place}{_address(wanted)}"

    return {"address": address, "address_of": address_of}


def _page(request: AnyRequest, wanted: Wanted, status: int = 200, **values: Any) -> Response[str]:
    shown: dict[str, Any] = {
        "wanted": wanted,
        "fields": _fields(wanted),
        **_links(wanted),
        "seniorities": SENIORITIES,
        "fault": "",
        "chosen": Chosen(),
        "total": None,
        "found": None,
        "people": [],
        "counts": {},
        **values,
    }
    return page(request, "search.html", status, **shown)


handlers = (show, search, show_one, save, preview)
