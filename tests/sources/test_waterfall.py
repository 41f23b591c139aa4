"""Which provider is asked for what, and whose word a field is."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from addtocrm.core.errors import ApiError
from addtocrm.core.records.person import Person, PersonCompany
from addtocrm.sources.contract import Match, PersonQuery, ProviderRateLimited, ProviderUnavailable
from addtocrm.sources.waterfall import Waterfall

JANE = Person(
    id="per_1",
    linkedin_url="https://www.linkedin.com/in/jane",
    first_name="Jane",
    last_name="Doe",
    company=PersonCompany(name="Acme", domain="acme.test"),
)
BY_URL = PersonQuery(linkedin_url=JANE.linkedin_url)


class Vendor:
    """Knows one person, or fails."""

    company_keys: Sequence[Any] = ("domain",)
    cost = 0.0
    requests_per_second = None

    def __init__(self, name: str, knows: Any, *, keys: Sequence[Any] = ("linkedin_url",), completes: bool = False):
        self.name, self.person_keys, self.completes = name, keys, completes
        self._knows = knows
        self.asked: list[PersonQuery] = []
        self.confidence = 1.0

    async def person(self, query: PersonQuery) -> Match[Person] | None:
        self.asked.append(query)
        if isinstance(self._knows, Exception):
            raise self._knows
        return Match(self._knows, datetime.now(UTC), self.confidence) if self._knows else None

    async def company(self, query: Any) -> None:
        return None


def ask(query: PersonQuery, *vendors: Vendor, min_confidence: float = 0.0) -> Person | None:
    return asyncio.run(Waterfall(vendors).person(query, min_confidence))


def test_the_first_that_has_all_that_is_required_is_taken() -> None:
    without, having = Vendor("without", JANE), Vendor("having", Person(id="per_2", email="jane@acme.test"))
    found = ask(PersonQuery(linkedin_url="x", required=("email",)), without, having)
    assert found is not None and found.id == "per_2"
    assert found.sources["email"].provider == "having"
    assert ask(BY_URL, without, having) is not None and len(having.asked) == 1


def test_who_completes_is_asked_about_a_known_person_only() -> None:
    finder = Vendor("finder", Person(id="", email="jane@acme.test", email_status="risky"), keys=("name_and_company",))
    finder.completes = True
    query = PersonQuery(linkedin_url=JANE.linkedin_url, required=("email",))
    assert ask(query, Vendor("none", None), finder) is None and not finder.asked
    found = ask(query, finder, Vendor("data", JANE))
    assert found is not None
    assert (found.id, found.email, found.email_status) == ("per_1", "jane@acme.test", "risky")
    assert {name: source.provider for name, source in found.sources.items() if "email" in name} == {
        "email": "finder",
        "email_status": "finder",
    }
    (asked,) = finder.asked
    assert (asked.first_name, asked.company_domain, asked.required) == ("Jane", "acme.test", ("email",))


def test_what_cannot_be_completed_is_no_match() -> None:
    finder = Vendor("finder", None, keys=("name_and_company",), completes=True)
    assert ask(PersonQuery(linkedin_url="x", required=("email",)), Vendor("data", JANE), finder) is None


def test_an_unsure_match_is_not_completed() -> None:
    unsure, finder = Vendor("unsure", JANE), Vendor("finder", JANE, keys=("name_and_company",), completes=True)
    unsure.confidence = 0.5
    assert ask(BY_URL, unsure, finder, min_confidence=0.9) is None and not finder.asked


@pytest.mark.parametrize("failure", [ProviderUnavailable("down"), ProviderRateLimited(5)])
def test_a_failed_provider_is_no_no_match(failure: Exception) -> None:
    with pytest.raises(ApiError, match="nothing was charged"):
        ask(BY_URL, Vendor("down", failure), Vendor("none", None))
    found = ask(BY_URL, Vendor("down", failure), Vendor("data", JANE))
    assert found is not None and found.id == "per_1"
