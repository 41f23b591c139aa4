"""Asks the providers in turn, until one of them has a match that is good enough."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec
import structlog

from addtocrm import metrics
from addtocrm.companies.model import Company
from addtocrm.errors import ApiError
from addtocrm.people.model import Person, Source
from addtocrm.providers.contract import (
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
from addtocrm.times import rfc3339

log = structlog.get_logger()

T = TypeVar("T", Person, Company)

OWN_FIELDS = {"id", "confidence", "sources"}


class Waterfall:
    """The providers that are set up, cheapest first."""

    def __init__(self, providers: Sequence[Provider]) -> None:
        self._providers = providers

    async def person(
        self, query: PersonQuery, enough: Callable[[Person, float], bool]
    ) -> tuple[Match[Person] | None, str]:
        """The first good match and its provider's name, or (None, ""). Raises ApiError where one failed."""
        key: PersonKey = "linkedin_url" if query.linkedin_url else "email" if query.email else "name_and_company"
        asked = [one for one in self._providers if key in one.person_keys]
        return await _first(asked, lambda one: one.person(query), enough)

    async def company(self, query: CompanyQuery) -> tuple[Match[Company] | None, str]:
        """The first match and its provider's name, or (None, ""). Raises ApiError where one failed."""
        key: CompanyKey = "domain" if query.domain else "linkedin_url" if query.linkedin_url else "name"
        asked = [one for one in self._providers if key in one.company_keys]
        return await _first(asked, lambda one: one.company(query), _any)


def _any(_: Company, __: float) -> bool:
    return True


async def _first(
    providers: Sequence[Provider],
    ask: Callable[[Provider], Awaitable[Match[T] | None]],
    enough: Callable[[T, float], bool],
) -> tuple[Match[T] | None, str]:
    failed = False
    for provider in providers:
        try:
            match = await ask(provider)
        except (ProviderUnavailable, ProviderRateLimited, ProviderRejected) as error:
            failed = True
            metrics.PROVIDER_CALLS.labels(provider.name, type(error).__name__).inc()
            log.warning("provider_failed", provider=provider.name, error=type(error).__name__)
            continue
        metrics.PROVIDER_CALLS.labels(provider.name, "match" if match else "no_match").inc()
        if match and enough(match.object, match.confidence):
            return match, provider.name
    if failed:
        raise ApiError("internal_error", "A data provider failed; nothing was charged. Try again in a moment.")
    return None, ""


def attributed(match: Match[T], provider: str) -> T:
    """The matched object with its confidence, and with where each known field came from."""
    source = Source(provider, rfc3339(match.observed_at), match.confidence)
    known = [
        name
        for name in match.object.__struct_fields__
        if name not in OWN_FIELDS and getattr(match.object, name) not in (None, [])
    ]
    return msgspec.structs.replace(match.object, confidence=match.confidence, sources=dict.fromkeys(known, source))
