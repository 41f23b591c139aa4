"""The operator's own data, imported with `addtocrm import`."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from addtocrm.core import identifiers
from addtocrm.core.db.pool import CONNECTION_FAILURES, Pool
from addtocrm.core.records.company import Company
from addtocrm.core.records.person import Person
from addtocrm.mail.model import KnownAddress
from addtocrm.sources.contract import (
    CompanyKey,
    CompanyQuery,
    Match,
    PersonKey,
    PersonQuery,
    ProviderUnavailable,
    Setup,
)

BY_LINKEDIN, BY_EMAIL, BY_NAME = 1.0, 0.95, 0.8
"""How sure a match is: an exact URL, an exact address, an exact name at an exact company."""

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

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def person(self, query: PersonQuery) -> Match[Person] | None:
        """The one person that matches exactly; several that match are no match."""
        if query.linkedin_url:
            rows = await self._people("identity = $1", "in:" + _slug(query.linkedin_url))
            confidence = BY_LINKEDIN
        elif query.email:
            key = identifiers.email_key(query.email)
            rows = await self._people("split_part(email, '@', 2) = split_part($1, '@', 2) and email = $1", key)
            confidence = BY_EMAIL
        else:
            name = identifiers.name_key(f"{query.first_name} {query.last_name}")
            if query.company_domain:
                rows = await self._people("name_key = $1 and company_domain = $2", name, query.company_domain)
            else:
                company = identifiers.company_key(query.company_name or "")
                rows = await self._people("name_key = $1 and company_key = $2", name, company)
            confidence = BY_NAME
        if len(rows) != 1:
            return None
        return Match(_person(rows[0]), rows[0]["observed_at"], confidence)

    async def people(self, ids: Sequence[str]) -> dict[str, Match[Person]]:
        """The people of these ids that there are."""
        rows = await self._fetch("select id, data, observed_at from people where id = any($1)", ids)
        return {row["id"]: Match(_person(row), row["observed_at"], BY_LINKEDIN) for row in rows}

    async def company(self, query: CompanyQuery) -> Match[Company] | None:
        """The one company that matches exactly; several that match are no match."""
        if query.domain:
            rows, confidence = await self._companies("domain = $1", query.domain), BY_LINKEDIN
        elif query.linkedin_url:
            rows, confidence = await self._companies("linkedin_url = $1", query.linkedin_url), BY_LINKEDIN
        else:
            key = identifiers.company_key(query.name or "")
            rows, confidence = await self._companies("name_key = $1", key), BY_NAME
        if len(rows) != 1:
            return None
        data = {**msgspec.json.decode(rows[0]["data"]), "id": rows[0]["id"]}
        return Match(msgspec.convert(data, Company), rows[0]["observed_at"], confidence)

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
        return await self._fetch(f"select id, data, observed_at from people where {where} limit 2", *values)

    async def _companies(self, where: str, *values: str) -> list[asyncpg.Record]:
        return await self._fetch(f"select id, data, observed_at from companies where {where} limit 2", *values)

    async def _fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        try:
            return await self._pool.fetch(sql, *values)
        except CONNECTION_FAILURES as error:
            raise ProviderUnavailable("the database does not answer") from error


def _person(row: asyncpg.Record) -> Person:
    return msgspec.convert({**msgspec.json.decode(row["data"]), "id": row["id"]}, Person)


def _slug(url: str) -> str:
    return url.rpartition("/")[2]


def provider(setup: Setup) -> Dataset:
    """The dataset is always there."""
    return Dataset(setup.pool)
