"""The operator's own data, imported with `addtocrm import`."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import asyncpg
import msgspec
import structlog

from addtocrm.core import identifiers
from addtocrm.core.db.pool import CONNECTION_FAILURES, Pool
from addtocrm.core.identifiers import PROFILE
from addtocrm.core.matching import companies, search
from addtocrm.core.matching.choose import Asked, Candidate, choose
from addtocrm.core.matching.names import Name
from addtocrm.core.matching.search import Way
from addtocrm.core.records.company import Company
from addtocrm.core.records.person import EmailEntry, Person
from addtocrm.mail.model import KnownAddress
from addtocrm.sources.asked import asked
from addtocrm.sources.contract import (
    CompanyKey,
    CompanyQuery,
    Match,
    PersonKey,
    PersonQuery,
    ProviderUnavailable,
    Setup,
)
from addtocrm.sources.index.reader import NotReady, TooMany
from addtocrm.sources.stored import Stored, employers, filled_in, names_of

log = structlog.get_logger()

T = TypeVar("T")

BY_DOMAIN, BY_NAME = 1.0, 0.8
"""How sure a company is: by its domain or LinkedIn page, or by its name."""

MOST_ALIKE = 50
"""People who are looked at; where more are found by one key, nobody is meant."""

PERSON = "id, identity, email, name_key, company_domain, company_key, data, observed_at"
BY_EMAIL = """(split_part(email, '@', 2) = split_part($1, '@', 2) and email = $1)
    or (jsonb_path_exists(data, '$.emails[1]') and jsonb_path_query_array(data, '$.emails[*].email') ? $1)"""
BY_FORMER_URL = "data ? 'former_linkedin_urls' and data -> 'former_linkedin_urls' ? $1"

Candidates = Callable[[Sequence[Way], Sequence[str], Sequence[str]], list[str]]
"""The ids of all people who are found in one of some ways (`search.ways`) and are, or were, at one of some sites
(`companies.site`) or at a company with one of some names (`companies.keys`). Raises NotReady, TooMany."""

MOST_KNOWN = 200
"""People whose addresses tell how a company makes them."""


class Dataset:
    """People and companies of the tables `people` and `companies`."""

    name = "dataset"
    person_keys: Sequence[PersonKey] = ("linkedin_url", "email", "name_and_company")
    company_keys: Sequence[CompanyKey] = ("domain", "linkedin_url", "name")
    completes = False
    cost = 0.0
    requests_per_second = None

    def __init__(self, pool: Pool, candidates: Candidates | None = None) -> None:
        """`candidates` finds people whose names are written otherwise; without it, only the same name does."""
        self._pool = pool
        self._candidates = candidates

    async def person(self, query: PersonQuery) -> Match[Person] | None:
        """The one person who is meant (docs/matching.md); several who could be are no match."""
        who = asked(query)
        try:
            known = {row["id"]: row for row in await self._who_may_be_meant(query, who)}
        except TooMany:
            return None
        choice = choose(who, [read for row in known.values() if (read := _readable(row, _candidate))])
        if choice is None:
            return None
        row = known[choice.candidate.id]
        return Match(_person(row), row["observed_at"], choice.confidence)

    async def _who_may_be_meant(self, query: PersonQuery, who: Asked) -> list[asyncpg.Record]:
        if who.linkedin_url:
            return await self._by_url(who.linkedin_url)
        if who.email:
            return await self._people(BY_EMAIL, who.email)
        by_name = await self._by_name(query)
        return [*by_name, *await self._by_words(who.name, who.company)] if who.name else by_name

    async def people(self, ids: Sequence[str], generation: str) -> dict[str, Match[Person]] | None:
        """The people of these ids that there are; None where the database is another than `generation`, as a restored
        one is. One whose data have another form than an import gives is left out."""
        rows = await self._fetch(
            """select id, data, observed_at from people_feed left join people on id = any($1)
               where generation::text = $2""",
            ids,
            generation,
        )
        if not rows:
            return None
        people = {row["id"]: (row["observed_at"], _readable(row, _person)) for row in rows if row["id"]}
        return {id: Match(person, observed_at, 1.0) for id, (observed_at, person) in people.items() if person}

    async def _by_url(self, url: str) -> list[asyncpg.Record]:
        return await self._people("identity = $1", "in:" + _slug(url)) or await self._people(BY_FORMER_URL, url)

    async def _by_name(self, query: PersonQuery) -> list[asyncpg.Record]:
        """Those of the same name and employer: also whoever was imported a moment ago."""
        name = identifiers.name_key(f"{query.first_name} {query.last_name}")
        if query.company_domain:
            return await self._people("name_key = $1 and company_domain = $2", name, query.company_domain)
        company = identifiers.company_key(query.company_name or "")
        return await self._people("name_key = $1 and company_key = $2", name, company)

    async def _by_words(self, name: Name, company: companies.Company) -> list[asyncpg.Record]:
        """Those whose names may be this one, and who are or were at the company."""
        if self._candidates is None:
            return []
        keys = search.ways(name), sorted(company.sites), sorted(company.keys)
        try:
            ids = await asyncio.to_thread(self._candidates, *keys)
        except NotReady as error:
            raise ProviderUnavailable("the search index is being built") from error
        return await self._fetch(f"select {PERSON} from people where id = any($1)", ids)

    async def company(self, query: CompanyQuery) -> Match[Company] | None:
        """The one company that matches exactly; several that match are no match."""
        if query.domain:
            rows, confidence = await self._companies("domain = $1", query.domain), BY_DOMAIN
        elif query.linkedin_url:
            rows, confidence = await self._companies("linkedin_url = $1", query.linkedin_url), BY_DOMAIN
        else:
            key = identifiers.company_key(query.name or "")
            rows, confidence = await self._companies("name_key = $1", key), BY_NAME
        known = [(row, {**msgspec.json.decode(row["data"]), "id": row["id"]}) for row in rows]
        if query.name:
            known = [one for one in known if not companies.told_apart(query.name, one[1].get("name") or "")]
        if len(known) != 1 or len(rows) > MOST_ALIKE:
            return None
        row, data = known[0]
        return Match(msgspec.convert(data, Company), row["observed_at"], confidence)

    async def known_addresses(self, domain: str) -> list[KnownAddress]:
        """People who have an address at `domain` (ASCII), at most MOST_KNOWN of them."""
        rows = await self._fetch(
            f"""select data->>'first_name' as first_name, data->>'last_name' as last_name, email from people
                where email is not null and split_part(email, '@', 2) = $1
                  and data->>'first_name' is not null and data->>'last_name' is not null
                limit {MOST_KNOWN}""",
            domain,
        )
        return [KnownAddress(**row) for row in rows]

    async def _people(self, where: str, *values: str) -> list[asyncpg.Record]:
        # Materialized: a limit would make PostgreSQL think that reading the table finds so many soon.
        found = f"with found as materialized (select {PERSON} from people where {where})"
        rows = await self._fetch(f"{found} select * from found limit {MOST_ALIKE + 1}", *values)
        if len(rows) > MOST_ALIKE:
            raise TooMany
        return rows

    async def _companies(self, where: str, *values: str) -> list[asyncpg.Record]:
        return await self._fetch(
            f"select id, data, observed_at from companies where {where} limit {MOST_ALIKE + 1}", *values
        )

    async def _fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        try:
            return await self._pool.fetch(sql, *values)
        except CONNECTION_FAILURES as error:
            raise ProviderUnavailable("the database does not answer") from error


def _readable(row: asyncpg.Record, read: Callable[[asyncpg.Record], T]) -> T | None:
    """What is read of a row; None where its data have another form than an import gives: one row stops nobody else."""
    try:
        return read(row)
    except (ValueError, TypeError, AttributeError) as error:
        log.warning("person_not_read", person=row["id"], reason=str(error))
        return None


def _person(row: asyncpg.Record) -> Person:
    data = filled_in(msgspec.json.decode(row["data"]))
    return msgspec.convert({**data, "id": row["id"]}, Person)


def _candidate(row: asyncpg.Record) -> Candidate:
    stored = msgspec.json.decode(row["data"], type=Stored)
    kind, _, slug = row["identity"].partition(":")
    now, formerly = employers(stored, row["company_key"], row["company_domain"])
    return Candidate(
        row["id"],
        (*([PROFILE + slug] if kind == "in" else []), *stored.former_linkedin_urls),
        tuple(dict.fromkeys([*([row["email"]] if row["email"] else []), *map(_key, stored.emails)])),
        tuple(names_of(stored, row["name_key"] or "")),
        now,
        formerly,
    )


def _key(entry: EmailEntry) -> str:
    try:
        return identifiers.email_key(entry.email)
    except ValueError:
        return entry.email


def _slug(url: str) -> str:
    return url.rpartition("/")[2]


def provider(setup: Setup) -> Dataset:
    """The dataset is always there."""
    return Dataset(setup.pool, setup.reader.candidates)
