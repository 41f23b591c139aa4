"""Company look-up: which look-up a request is, and what the providers' match becomes."""

import msgspec

from addtocrm.core import identifiers
from addtocrm.core.caller import Caller
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.matching import companies
from addtocrm.lookups.companies.model import LookUpCompany
from addtocrm.lookups.model import Answer, Operation, Outcome, Refresh
from addtocrm.lookups.service import Lookups
from addtocrm.sources.contract import CompanyQuery
from addtocrm.sources.waterfall import Waterfall

LOOKUP = Operation("companies.lookup", "company.looked_up")


async def lookup(
    lookups: Lookups,
    waterfall: Waterfall,
    caller: Caller,
    query: CompanyQuery,
    *,
    refresh: Refresh = False,
) -> Answer:
    """The company that `query` (from `query_of`) asks for; costs a credit unless it is cached.

    Raises ApiError: `not_found` (free), `insufficient_credits`.
    """

    async def work() -> Outcome | None:
        company = await waterfall.company(query)
        if company is None:
            return None
        told = {"id": company.id, "domain": company.domain, "name": company.name}
        return Outcome(msgspec.json.encode(company), told)

    answer = await lookups.run(caller, LOOKUP, lookup_key(query), work, refresh=refresh)
    if answer is None:
        raise ApiError(
            "not_found",
            "No company in the data matches; nothing was charged. Check the spelling of the domain.",
        )
    return answer


def query_of(asked: LookUpCompany) -> CompanyQuery:
    """The normalised query, by exactly one key. Raises ApiError `validation_error` that names the field."""
    domain, linkedin_url, name = asked.domain, asked.linkedin_url, asked.name
    if sum(value is not None for value in (domain, linkedin_url, name)) != 1:
        raise invalid("domain", "send exactly one of `domain`, `linkedin_url` and `name`.")
    try:
        if domain is not None:
            return CompanyQuery(domain=companies.own_domain(domain))
        if linkedin_url is not None:
            return CompanyQuery(linkedin_url=identifiers.company_url(linkedin_url))
    except ValueError as error:
        raise invalid("domain" if domain is not None else "linkedin_url", str(error)) from None
    assert name is not None
    if not identifiers.company_key(name):
        raise invalid("name", "has no letter or digit.")
    return CompanyQuery(name=name.strip())


def lookup_key(query: CompanyQuery) -> str:
    """What makes two queries the same look-up."""
    if key := query.domain or query.linkedin_url:
        return key
    name = query.name or ""
    return "name:" + identifiers.bounded(f"{identifiers.company_key(name)} {companies.han(name)}".rstrip())
