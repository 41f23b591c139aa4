"""What the people table's data say of a person for matching: their names, and where they are and were."""

from collections.abc import Iterator

import msgspec

from addtocrm.core.matching import companies, names
from addtocrm.core.matching.companies import Company
from addtocrm.core.matching.letters import is_latin
from addtocrm.core.matching.names import Name
from addtocrm.core.records.person import EmailEntry, Experience, PersonCompany


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
