"""Whom a query asks for, as the matcher reads it."""

from addtocrm.core import identifiers
from addtocrm.core.matching import companies, names
from addtocrm.core.matching.choose import Asked
from addtocrm.sources.contract import PersonQuery


def asked(query: PersonQuery) -> Asked:
    """By the first of LinkedIn URL, email, and name with company that the query has."""
    if query.linkedin_url:
        return Asked(linkedin_url=query.linkedin_url)
    if query.email:
        return Asked(email=identifiers.email_key(query.email))
    name = names.name("", first=query.first_name or "", last=query.last_name or "")
    return Asked(name=name, company=companies.company(query.company_name, query.company_domain))
