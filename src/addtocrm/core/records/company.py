"""What is known of a company (the contract's object)."""

import msgspec

from addtocrm.core.records.parts import Location, Phone, Source


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
