"""What is known of a company (the contract's object)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from addtocrm.lookups.model import RefreshField
from addtocrm.people.model import Location, Phone, Source


class LookUpCompany(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which company is meant, by exactly one of the three."""

    domain: Annotated[str | None, Meta(description="A domain or web address.", examples=["acme.example.com"])] = None
    linkedin_url: Annotated[str | None, Meta(description="A LinkedIn company URL.")] = None
    name: Annotated[str, Meta(max_length=300)] | None = None
    refresh: RefreshField = False


class LookUpBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Companies, each by a domain alone or as in `POST /v1/companies/lookup`."""

    items: Annotated[list[LookUpCompany | Annotated[str, Meta(max_length=300)]], Meta(min_length=1, max_length=10_000)]


class Socials(msgspec.Struct, frozen=True):
    linkedin: str | None = None
    twitter: str | None = None
    facebook: str | None = None
    youtube: str | None = None
    github: str | None = None


class Company(msgspec.Struct, frozen=True, kw_only=True):
    """A company. What is not known is null (or an empty list), never a guess."""

    id: str
    name: str | None = None
    domain: str | None = None
    website: str | None = None
    linkedin_url: str | None = None
    industry: str | None = None
    size: str | None = None
    employee_count: int | None = None
    founded_year: int | None = None
    type: str | None = None
    description: str | None = None
    location: Location | None = None
    phones: list[Phone] = []
    technologies: list[str] = []
    socials: Socials | None = None
    confidence: float | None = None
    sources: dict[str, Source] = {}
