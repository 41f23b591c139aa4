"""What is known of a person (the contract's object)."""

import msgspec

from addtocrm.core.records.parts import Location, Phone, Source


class EmailEntry(msgspec.Struct, frozen=True):
    email: str
    type: str | None = None
    status: str | None = None


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
