"""Asks the providers in turn, until one of them has a match that is good enough."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec
import structlog

from addtocrm.core import metrics
from addtocrm.core.errors import ApiError
from addtocrm.core.records.company import Company
from addtocrm.core.records.parts import Source
from addtocrm.core.records.person import Person, PersonCompany
from addtocrm.core.times import rfc3339
from addtocrm.sources.contract import (
    CompanyKey,
    CompanyQuery,
    Match,
    PersonKey,
    PersonQuery,
    Provider,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)

log = structlog.get_logger()

T = TypeVar("T", Person, Company)

OWN_FIELDS = {"id", "confidence", "sources"}


class Waterfall:
    """The providers that are set up, cheapest first."""

    def __init__(self, providers: Sequence[Provider]) -> None:
        self._providers = providers

    async def person(self, query: PersonQuery, min_confidence: float = 0.0) -> Person | None:
        """The first match of at least `min_confidence` that has all that the query requires; where no provider has
        that, the first match, completed. Raises ApiError where there is none and a provider failed."""
        calls = _Calls()
        found: Person | None = None
        for provider in self._asked(query, completes=False):
            person = await calls.ask(provider, lambda one: one.person(query))
            if person is None or (person.confidence or 0) < min_confidence:
                continue
            if has_required(person, query.required):
                return person
            found = found or person
        if found is not None:
            query = _query_about(found, query.required)
            for provider in self._asked(query, completes=True):
                addition = await calls.ask(provider, lambda one: one.person(query))
                found = _completed(found, addition) if addition else found
                if has_required(found, query.required):
                    return found
        calls.raise_if_failed()
        return None

    async def company(self, query: CompanyQuery) -> Company | None:
        """The first match. Raises ApiError where there is none and a provider failed."""
        key: CompanyKey = "domain" if query.domain else "linkedin_url" if query.linkedin_url else "name"
        calls = _Calls()
        for provider in self._providers:
            if key in provider.company_keys:
                company = await calls.ask(provider, lambda one: one.company(query))
                if company is not None:
                    return company
        calls.raise_if_failed()
        return None

    def _asked(self, query: PersonQuery, *, completes: bool) -> list[Provider]:
        """The providers that take the surest thing that the query has; to complete a person, any such thing."""
        named = query.first_name and query.last_name and (query.company_domain or query.company_name)
        has: list[tuple[PersonKey, object]] = [
            ("linkedin_url", query.linkedin_url),
            ("email", query.email),
            ("name_and_company", named),
        ]
        keys = [key for key, value in has if value]
        usable = set(keys if completes else keys[:1])
        return [one for one in self._providers if one.completes == completes and usable.intersection(one.person_keys)]


class _Calls:
    """Asks providers, and remembers whether one failed."""

    def __init__(self) -> None:
        self._failed = False

    async def ask(self, provider: Provider, ask: Callable[[Provider], Awaitable[Match[T] | None]]) -> T | None:
        try:
            match = await ask(provider)
        except (ProviderUnavailable, ProviderRateLimited, ProviderRejected) as error:
            self._failed = True
            metrics.PROVIDER_CALLS.labels(provider.name, type(error).__name__).inc()
            log.warning("provider_failed", provider=provider.name, error=type(error).__name__)
            return None
        metrics.PROVIDER_CALLS.labels(provider.name, "match" if match else "no_match").inc()
        return attributed(match, provider.name) if match else None

    def raise_if_failed(self) -> None:
        if self._failed:
            raise ApiError("internal_error", "A data provider failed; nothing was charged. Try again in a moment.")


def has_required(person: Person, required: Sequence[str]) -> bool:
    """Whether all the fields that `required` names are known."""
    return all(getattr(person, name) not in (None, []) for name in required)


def _query_about(person: Person, required: Sequence[str]) -> PersonQuery:
    """What is known of a person, for those who complete it."""
    company = person.company or PersonCompany()
    return PersonQuery(
        linkedin_url=person.linkedin_url,
        email=person.email,
        first_name=person.first_name,
        last_name=person.last_name,
        company_domain=company.domain,
        company_name=company.name,
        required=tuple(name for name in required if getattr(person, name) in (None, [])),
    )


def _completed(person: Person, addition: Person) -> Person:
    """The person with the fields of `addition` that were not known, and where those came from."""
    new = {
        name: getattr(addition, name)
        for name in addition.sources
        if getattr(person, name) in (None, []) or name == "email_status"
    }
    if "email" not in new:
        new.pop("email_status", None)
    sources = {**person.sources, **{name: addition.sources[name] for name in new}}
    return msgspec.structs.replace(person, **new, sources=sources)


def attributed(match: Match[T], provider: str) -> T:
    """The matched object with its confidence, and with where each known field came from."""
    source = Source(provider, rfc3339(match.observed_at), match.confidence)
    known = [
        name
        for name in match.object.__struct_fields__
        if name not in OWN_FIELDS and getattr(match.object, name) not in (None, [])
    ]
    return msgspec.structs.replace(match.object, confidence=match.confidence, sources=dict.fromkeys(known, source))
