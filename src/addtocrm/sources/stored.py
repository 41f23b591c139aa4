"""What the people table's data say of a person: what follows from them, and for matching their names and employers."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from addtocrm.core import countries
from addtocrm.core.matching import companies, names
from addtocrm.core.matching.companies import Company
from addtocrm.core.matching.letters import is_latin
from addtocrm.core.matching.names import Name
from addtocrm.core.records.person import EmailEntry, Experience, PersonCompany
from addtocrm.sources import titles


class Stored(msgspec.Struct):
    """What the data of a person have by which somebody may be meant."""

    first_name: str | None = None
    last_name: str | None = None
    full_name: str | None = None
    emails: list[EmailEntry] = []
    former_linkedin_urls: list[str] = []
    company: PersonCompany = PersonCompany()
    experience: list[Experience] = []


def names_of(stored: Stored, key: str = "") -> Iterator[Name]:
    """The name in Latin letters, and in its own script where that is another; `key` where the data have none."""
    if stored.first_name and stored.last_name:
        yield names.name("", first=stored.first_name, last=stored.last_name)
        if is_latin(stored.full_name or ""):
            return
    if stored.full_name or key:
        yield names.name(stored.full_name or key)


def employers(
    stored: Stored, key: str | None = None, domain: str | None = None
) -> tuple[tuple[Company, ...], tuple[Company, ...]]:
    """The companies where somebody is, and those where they were; `key` and `domain` where the data have none."""
    employer = stored.company
    now = companies.company(employer.name or key, domain or employer.domain, employer.website)
    jobs = [(job.is_current, companies.company(job.company_name, job.company_domain)) for job in stored.experience]
    return (now, *(one for current, one in jobs if current)), tuple(one for current, one in jobs if not current)


def filled_in(data: Mapping[str, Any]) -> dict[str, Any]:
    """A person's data with the seniority and the department that the title says and the code of the country's name,
    where they have none."""
    title = data.get("job_title") or ""
    said = {"seniority": titles.seniority(title), "department": titles.department(title)}
    place = data.get("location")
    if place and place.get("country") and not place.get("country_code"):
        data = {**data, "location": {**place, "country_code": countries.iso2(place["country"])}}
    return {**data, **{name: value for name, value in said.items() if value and not data.get(name)}}
