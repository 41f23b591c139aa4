"""The work address of a person who is known without one, confirmed by the company's own mail server."""

from collections.abc import Sequence
from datetime import UTC, datetime

from addtocrm.core.records.person import EmailEntry, Person
from addtocrm.mail import finder
from addtocrm.mail.engine import Engine
from addtocrm.sources.contract import CompanyKey, CompanyQuery, Match, PersonKey, PersonQuery, Setup
from addtocrm.sources.providers.dataset import Dataset


class Finder:
    """Adds an address where `required` asks for one."""

    name = "finder"
    person_keys: Sequence[PersonKey] = ("name_and_company",)
    company_keys: Sequence[CompanyKey] = ()
    completes = True
    cost = 0.0
    requests_per_second = None

    def __init__(self, engine: Engine, dataset: Dataset) -> None:
        self._engine = engine
        self._dataset = dataset

    async def person(self, query: PersonQuery) -> Match[Person] | None:
        if not (query.first_name and query.last_name and query.company_domain):
            return None
        if not {"email", "emails", "email_status"}.intersection(query.required):
            return None
        known = await self._dataset.known_addresses(query.company_domain)
        found = await finder.find(self._engine, query.first_name, query.last_name, query.company_domain, known)
        if found is None:
            return None
        status = found.verification.result
        entry = EmailEntry(found.email, "work", status)
        person = Person(id="", email=found.email, email_status=status, emails=[entry])
        return Match(person, datetime.now(UTC), found.confidence)

    async def company(self, query: CompanyQuery) -> None:
        return None


def provider(setup: Setup) -> Finder:
    """The finder needs nothing but the network."""
    return Finder(setup.engine, Dataset(setup.pool))
