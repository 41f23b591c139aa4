"""People search: which look-up a request is, and the page that answers it."""

import asyncio
import hashlib
from collections.abc import Sequence
from functools import partial

import msgspec

from addtocrm.core import countries, cursors, identifiers
from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.records.person import Person
from addtocrm.lookups.model import Answer, Operation, Outcome
from addtocrm.lookups.search.model import Counts, FoundPeople, SearchFilters, SearchPeople, Terms
from addtocrm.lookups.service import Lookups
from addtocrm.privacy.service import all_suppressed, subjects
from addtocrm.sources import sizes, titles
from addtocrm.sources.contract import Match
from addtocrm.sources.index.query import Filter, Wanted, normal
from addtocrm.sources.index.reader import MOST_COUNTED, NotReady, Place, Reader
from addtocrm.sources.providers.dataset import Dataset
from addtocrm.sources.waterfall import attributed

SEARCH = Operation("people.search", "people.searched")
TRIES = 3
RETRY_SECONDS = 5
CURSOR = tuple[str, int, str]
"""Whose page it is (`_digest`), and its Place."""


class Query(msgspec.Struct, frozen=True):
    """A page that is asked for: whom, how many, after whom."""

    wanted: Wanted
    limit: int
    after: Place | None = None


async def search(
    lookups: Lookups, pool: Pool, reader: Reader, caller: Caller, query: Query, *, refresh: bool = False
) -> Answer:
    """The page that `query` (from `query_of`) asks for, as FoundPeople; costs a credit unless it is cached or empty.

    Raises ApiError `insufficient_credits`, and `internal_error` while the index is being built.
    """
    for attempt in range(TRIES):
        # Hardly anybody is in the table who asked to be forgotten. A page of such is not charged for: only then is it
        # made anew, and asked before who they are.
        work = partial(_page, pool, reader, query, without_suppressed=attempt > 0)
        answer = await lookups.run(caller, SEARCH, lookup_key(query), work, refresh=refresh)
        if answer is not None:
            return answer
    # Again and again somebody of the page asked to be forgotten between it and its charge.
    raise _not_ready()


async def count(reader: Reader, query: Query) -> Counts:
    """How many there are in all; it costs nothing, and says nothing of anybody. Raises ApiError."""
    try:
        total = await asyncio.to_thread(reader.total, query.wanted)
    except NotReady:
        raise _not_ready() from None
    return Counts(min(total, MOST_COUNTED), total <= MOST_COUNTED)


async def facets(reader: Reader, query: Query, names: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many of all who are found have each value. Raises ApiError."""
    try:
        return await asyncio.to_thread(reader.facets, query.wanted, names)
    except NotReady:
        raise _not_ready() from None


async def _page(pool: Pool, reader: Reader, query: Query, *, without_suppressed: bool) -> Outcome:
    """The page without those who are not in the table any more, or asked to be forgotten. Raises ApiError."""
    try:
        hits = await asyncio.to_thread(reader.page, query.wanted, query.limit, query.after)
    except NotReady:
        raise _not_ready() from None
    known = await Dataset(pool).people(hits.ids, hits.generation)
    if known is None:
        raise _not_ready()
    people = [_found(known[id]) for id in hits.ids if id in known]
    about = [_about(one) for one in people]
    for place in reversed(await all_suppressed(pool, about)) if without_suppressed else ():
        del people[place], about[place]
    total, exact = min(hits.total, MOST_COUNTED), hits.total <= MOST_COUNTED
    cursor = cursors.encode((_digest(query.wanted), *hits.after)) if hits.after else None
    page = FoundPeople(msgspec.Raw(msgspec.json.encode(people)), total, exact, cursor)
    told = {"people": len(people), "total": total, "total_is_exact": exact}
    digests = sorted({digest for one in about for digest in one})
    return Outcome(msgspec.json.encode(page), told, billable=bool(people), subjects=digests)


def _about(person: Person) -> list[bytes]:
    emails = {person.email, *(entry.email for entry in person.emails)}
    return subjects(person.linkedin_url, emails, person.full_name or "")


def _found(match: Match[Person]) -> Person:
    """The person with where each field is from; how sure a match is, is not asked here."""
    return msgspec.structs.replace(attributed(match, Dataset.name), confidence=None)


def _not_ready() -> ApiError:
    return ApiError(
        "internal_error",
        "The search index is being built; nothing was charged. Search again after `retry_after_seconds`.",
        retry_after_seconds=RETRY_SECONDS,
    )


def query_of(asked: SearchPeople) -> Query:
    """The normalised query. Raises ApiError `validation_error` that names the field."""
    filters: dict[str, Filter] = {}
    for name in SearchFilters.__struct_fields__:
        given = getattr(asked.filters, name)
        if given is None or isinstance(given, bool):
            continue
        terms = given if isinstance(given, Terms) else Terms(include=given)
        found = Filter(_normal(name, "include", terms.include), _normal(name, "exclude", terms.exclude))
        if found.include or found.exclude:
            filters[name] = found
    wanted = Wanted(filters=filters, has_email=asked.filters.has_email, has_phone=asked.filters.has_phone)
    return Query(wanted, asked.limit, _after(wanted, asked.cursor) if asked.cursor else None)


def _normal(name: str, part: str, values: str | list[str]) -> tuple[str, ...]:
    """The values in their normal forms, each once and in one order."""
    texts = [values] if isinstance(values, str) else values
    found: set[str] = set()
    for place, text in enumerate(texts):
        try:
            found.add(_value(name, text))
        except ValueError as error:
            raise invalid(f"filters.{name}.{part}[{place}]", str(error)) from None
    return tuple(sorted(found))


def _value(name: str, text: str) -> str:
    match name:
        case "seniority":
            return titles.level(text) or _none_of(text, titles.SENIORITIES)
        case "company_size":
            return text.strip() if text.strip() in sizes.SIZES else _none_of(text, sizes.SIZES)
        case "country":
            code = countries.iso2(text.strip())
            if code is None:
                raise ValueError(
                    f"{text!r} is no country, or several; give its full English name or its ISO code, such as DE."
                )
            return code
        case "company_domain":
            return identifiers.domain(text)
        case _:
            return normal(name, text)


def _none_of(text: str, names: Sequence[str]) -> str:
    raise ValueError(f"{text!r} is none of {', '.join(names)}.")


def _after(wanted: Wanted, cursor: str) -> Place:
    digest, tier, place = cursors.decode(cursor, CURSOR)
    if digest != _digest(wanted) or not 0 <= tier <= 2 or len(place) < 2 or place[0] not in "0123456789abcdef":
        raise invalid("cursor", "is of a search with other filters; leave it out to start over.")
    return Place(tier, place)


def _digest(wanted: Wanted) -> str:
    return hashlib.sha256(msgspec.json.encode(wanted, order="sorted")).hexdigest()[:16]


def lookup_key(query: Query) -> str:
    """What makes two searches the same look-up: whom they ask for, and which page."""
    return hashlib.sha256(msgspec.json.encode(query, order="sorted")).hexdigest()
