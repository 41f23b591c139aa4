"""Who is meant by a line of text."""

from addtocrm.core.matching.names import given_and_family
from addtocrm.lookups.people.model import EnrichPerson


def lines_of(text: str) -> list[str]:
    """The lines that say something, each once."""
    return list(dict.fromkeys(line.strip()[:2000] for line in text.splitlines() if line.strip()))


def asked_of(line: str) -> EnrichPerson:
    """A LinkedIn URL, an email address, or a name and behind a comma (or `at`) the company or its domain."""
    if "linkedin.com/" in line.lower() or line.lower().startswith(("http://", "https://")):
        return EnrichPerson(linkedin_url=line)
    if "@" in line:
        return EnrichPerson(email=line[:320])
    name, _, where = line.partition(",") if "," in line else line.partition(" at ")
    first, last = given_and_family(name)
    where = where.strip()
    if "." in where and " " not in where:
        return EnrichPerson(first_name=first, last_name=last, company_domain=where)
    return EnrichPerson(first_name=first, last_name=last, company_name=where or None)
