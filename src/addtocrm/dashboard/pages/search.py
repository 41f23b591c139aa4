"""Searching people."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.records.person import Person
from addtocrm.crm.model import PersonInput
from addtocrm.dashboard import forms
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, caller_of, signed_in
from addtocrm.lists import service as lists
from addtocrm.lookups.model import Answer
from addtocrm.lookups.search import service
from addtocrm.lookups.search.model import FoundPeople, SearchFilters, SearchPeople
from addtocrm.lookups.search.service import Query
from addtocrm.lookups.service import Lookups
from addtocrm.sources.index.reader import Reader
from addtocrm.sources.titles import SENIORITIES

ON_A_PAGE = 25
MOST_LISTS = 100
COUNTED = ("seniority", "department", "country")


class Wanted(msgspec.Struct, frozen=True):
    """The fields of the form; several values of one are parted by commas."""

    job_title: str = ""
    seniority: str = ""
    department: str = ""
    company: str = ""
    country: str = ""
    city: str = ""
    skills: str = ""
    keywords: str = ""
    has_email: bool = False
    cursor: str | None = None


class Chosen(Wanted, frozen=True):
    """People of a page, by their places on it, who go on a list."""

    people: list[int] = []
    list: str = ""


@get("/search", opt=needs(), sync_to_thread=False)
def show(request: AnyRequest) -> Response[str]:
    """The form, with what the address says; nothing is searched and nothing costs."""
    texts = (field.name for field in msgspec.structs.fields(Wanted) if field.type is str)
    given: dict[str, Any] = {name: request.query_params.get(name, "") for name in texts}
    return _page(request, Wanted(**given))


@post("/search", opt=needs(), status_code=200)
async def search(request: AnyRequest, pool: Pool, lookups: Lookups, reader: Reader) -> Response[str]:
    wanted = await forms.read(request, Wanted)
    try:
        query = query_of(wanted)
        answer = await service.search(lookups, pool, reader, caller_of(request), query)
        counts = await service.facets(reader, query, COUNTED)
    except ApiError as error:
        return _page(request, wanted, error.status, fault=error.message)
    known, _ = await lists.page(pool, signed_in(request).account_id, None, MOST_LISTS)
    found = msgspec.json.decode(answer.data, type=FoundPeople)
    return _page(
        request, wanted, answer=answer, found=found, people=people_of(answer, Person), counts=counts, lists=known
    )


@post("/search/save", opt=needs(), status_code=200)
async def save(request: AnyRequest, pool: Pool, lookups: Lookups, reader: Reader) -> Redirect:
    """Puts people of a page, which is free by now, on a list."""
    asked = await forms.read(request, Chosen)
    answer = await service.search(lookups, pool, reader, caller_of(request), query_of(asked))
    people = people_of(answer, PersonInput)
    chosen = [people[place] for place in asked.people if 0 <= place < len(people)]
    if not chosen:
        raise invalid("people", "Choose at least one person. Go back and tick their box.")
    await lists.add(pool, caller_of(request), asked.list, chosen)
    return go(f"/dashboard/lists/{asked.list}", said="added")


def query_of(wanted: Wanted) -> Query:
    """The search that a form asks for. Raises ApiError."""
    companies = _values(wanted.company)
    given: dict[str, Any] = {
        "job_title": _values(wanted.job_title),
        "seniority": _values(wanted.seniority),
        "department": _values(wanted.department),
        "company_domain": [one for one in companies if "." in one and " " not in one],
        "company_name": [one for one in companies if "." not in one or " " in one],
        "country": _values(wanted.country),
        "city": _values(wanted.city),
        "skills": _values(wanted.skills),
        "keywords": _values(wanted.keywords),
    }
    filters = SearchFilters(
        **{name: values for name, values in given.items() if values}, has_email=True if wanted.has_email else None
    )
    return service.query_of(SearchPeople(filters=filters, limit=ON_A_PAGE, cursor=wanted.cursor))


def people_of(answer: Answer, type: Any) -> list[Any]:
    return msgspec.json.decode(msgspec.json.decode(answer.data, type=FoundPeople).data, type=list[type])


def _values(text: str) -> list[str]:
    return [one.strip()[:200] for one in text.split(",") if one.strip()][:100]


def _page(request: AnyRequest, wanted: Wanted, status: int = 200, **values: Any) -> Response[str]:
    chosen = {name: value for name, value in msgspec.structs.asdict(wanted).items() if isinstance(value, str) and value}
    chosen.pop("cursor", None)
    shown = {
        "wanted": wanted,
        "query_values": chosen,
        "seniorities": SENIORITIES,
        "fault": "",
        "answer": None,
        **values,
    }
    return page(request, "search.html", status, **shown)


handlers = (show, search, save)
