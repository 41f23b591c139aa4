"""What a provider of data is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Generic, Literal, Protocol, TypeVar

import msgspec

from addtocrm.core.db.pool import Pool
from addtocrm.core.records.company import Company
from addtocrm.core.records.person import Person
from addtocrm.core.settings import Settings
from addtocrm.mail.engine import Engine
from addtocrm.sources.index.reader import Reader

T = TypeVar("T")

PersonKey = Literal["linkedin_url", "email", "name_and_company"]
CompanyKey = Literal["domain", "linkedin_url", "name"]


class ProviderUnavailable(Exception):
    """The vendor did not answer, or failed; asking again later may help."""


class ProviderRateLimited(Exception):
    """The vendor asks to wait `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"rate limited for {retry_after:g} s")
        self.retry_after = retry_after


class ProviderRejected(Exception):
    """The vendor refuses the request or our credentials; asking again does not help."""


class PersonQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Who is looked for, normalised by `identifiers`: a LinkedIn URL, an e-mail, or a name and a company."""

    linkedin_url: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    company_domain: str | None = None
    company_name: str | None = None
    required: tuple[str, ...] = ()


class CompanyQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which company is looked for, by one of the three."""

    domain: str | None = None
    linkedin_url: str | None = None
    name: str | None = None


class Match(msgspec.Struct, Generic[T], frozen=True):
    """What a provider knows: the object, when that was seen, and how sure it is the right one (0–1)."""

    object: T
    observed_at: datetime
    confidence: float


class Setup(msgspec.Struct, frozen=True):
    """What a provider may be made of."""

    settings: Settings
    pool: Pool
    engine: Engine
    reader: Reader


class Provider(Protocol):
    """A source of people and companies.

    A method gives None where the provider knows nothing, and raises ProviderUnavailable, ProviderRateLimited
    or ProviderRejected, nothing else.
    """

    name: str
    person_keys: Sequence[PersonKey]
    """What people can be looked up by; empty where it has none."""
    company_keys: Sequence[CompanyKey]
    completes: bool
    """Whether it only adds to a person whom another provider found."""
    cost: float
    """What one match costs the operator, in US dollars."""
    requests_per_second: float | None
    """The vendor's rate limit; None where there is none."""

    async def person(self, query: PersonQuery) -> Match[Person] | None: ...

    async def company(self, query: CompanyQuery) -> Match[Company] | None: ...
