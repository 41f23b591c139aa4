"""What is known of a person (the contract's object)."""

from typing import Annotated

import msgspec
from msgspec import Meta

from addtocrm.lookups.model import RefreshField

LinkedInUrl = Annotated[str, Meta(max_length=2000)]
Name = Annotated[str, Meta(max_length=200)]


class EnrichPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who is meant: a LinkedIn URL, or an e-mail, or a name with a company."""

    linkedin_url: Annotated[
        str | None,
        Meta(
            description="Any form of a person's LinkedIn URL.",
            examples=["https://www.linkedin.com/in/jane-doe-example"],
        ),
    ] = None
    email: Annotated[str, Meta(max_length=320)] | None = None
    first_name: Name | None = None
    last_name: Name | None = None
    company_domain: Annotated[str, Meta(max_length=300)] | None = None
    company_name: Name | None = None
    refresh: RefreshField = False
    min_confidence: Annotated[float, Meta(ge=0, le=1, description="Below it, it is no match.")] = 0.0
    required: Annotated[
        list[str], Meta(max_length=30, description="Fields without which it is no match, such as `email`.")
    ] = []


class EnrichBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People, each by a LinkedIn URL alone or as in `POST /v1/people/enrich`."""

    items: Annotated[list[EnrichPerson | LinkedInUrl], Meta(min_length=1, max_length=10_000)]


class Source(msgspec.Struct, frozen=True):
    """Where a field came from: the provider, when it saw it (RFC 3339), how sure it is (0–1)."""

    provider: str
    observed_at: str
    confidence: float


class Location(msgspec.Struct, frozen=True):
    """`country_code` is ISO 3166-1 alpha-2."""

    city: str | None = None
    region: str | None = None
    country: str | None = None
    country_code: str | None = None


class EmailEntry(msgspec.Struct, frozen=True):
    email: str
    type: str | None = None
    status: str | None = None


class Phone(msgspec.Struct, frozen=True):
    number: str
    type: str | None = None


class PersonCompany(msgspec.Struct, frozen=True):
    """The company that a person works at now."""

    name: str | None = None
    domain: str | None = None
    linkedin_url: str | None = None
    industry: str | None = None
    size: str | None = None
    employee_count: int | None = None
    founded_year: int | None = None
    website: str | None = None


class Experience(msgspec.Struct, frozen=True):
    title: str | None = None
    company_name: str | None = None
    company_domain: str | None = None
    start_date: str | None = None
    end_date: str | None = None
    is_current: bool | None = None


class Education(msgspec.Struct, frozen=True):
    school: str | None = None
    degree: str | None = None
    field: str | None = None
    start_date: str | None = None
    end_date: str | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person. What is not known is null (or an empty list), never a guess."""

    id: str
    linkedin_url: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    full_name: str | None = None
    headline: str | None = None
    job_title: str | None = None
    seniority: str | None = None
    department: str | None = None
    email: str | None = None
    email_status: str | None = None
    emails: list[EmailEntry] = []
    phones: list[Phone] = []
    location: Location | None = None
    company: PersonCompany | None = None
    skills: list[str] = []
    experience: list[Experience] = []
    education: list[Education] = []
    confidence: float | None = None
    sources: dict[str, Source] = {}
