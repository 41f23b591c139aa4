"""Person enrichment: which look-up a request is, and what the providers' match becomes."""

from collections.abc import Sequence

import msgspec

from addtocrm import identifiers
from addtocrm.errors import ApiError, invalid
from addtocrm.lookups.model import Answer, Caller, Operation, Outcome
from addtocrm.lookups.service import Lookups
from addtocrm.people.model import Person
from addtocrm.providers.contract import PersonQuery
from addtocrm.providers.waterfall import OWN_FIELDS, Waterfall, attributed

ENRICH = Operation("people.enrich", "person.enriched")


async def enrich(
    lookups: Lookups,
    waterfall: Waterfall,
    caller: Caller,
    query: PersonQuery,
    *,
    refresh: bool = False,
    min_confidence: float = 0.0,
) -> Answer:
    """The person that `query` (from `query_of`) asks for; costs a credit unless it is cached.

    Raises ApiError: `not_found` (free) where nobody matches with `min_confidence` and all that `query.required`
    names, `insufficient_credits`.
    """

    def enough(person: Person, confidence: float) -> bool:
        known = all(getattr(person, name) not in (None, []) for name in query.required)
        return known and confidence >= min_confidence

    async def work() -> Outcome | None:
        match, provider = await waterfall.person(query, enough)
        if match is None:
            return None
        person = attributed(match, provider)
        told = {"id": person.id, "linkedin_url": person.linkedin_url, "full_name": person.full_name}
        return Outcome(msgspec.json.encode(person), told)

    def accept(data: bytes) -> bool:
        person = msgspec.json.decode(data, type=Person)
        return enough(person, person.confidence or 0)

    answer = await lookups.run(
        caller,
        ENRICH,
        lookup_key(query),
        work,
        refresh=refresh,
        accept=accept if query.required or min_confidence else None,
        variant=f"{min_confidence}{query.required}",
    )
    if answer is None:
        raise ApiError(
            "not_found",
            "Nobody in the data matches; nothing was charged. Check the URL, or ask by e-mail or name.",
        )
    return answer


def query_of(
    *,
    linkedin_url: str | None = None,
    email: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    company_domain: str | None = None,
    company_name: str | None = None,
    required: Sequence[str] = (),
) -> PersonQuery:
    """The normalised query: by LinkedIn URL, else e-mail, else name and company.

    Raises ApiError `validation_error` that names the field.
    """
    unknown = sorted(set(required) - (set(Person.__struct_fields__) - OWN_FIELDS))
    if unknown:
        raise invalid("required", f"{unknown[0]} is not a field of a person.")
    query = PersonQuery(
        linkedin_url=_normal("linkedin_url", linkedin_url),
        email=_normal("email", email),
        first_name=_text(first_name),
        last_name=_text(last_name),
        company_domain=_normal("company_domain", company_domain),
        company_name=_text(company_name),
        required=tuple(sorted(set(required))),
    )
    if query.linkedin_url or query.email:
        return query
    if not (query.first_name and query.last_name and (query.company_domain or query.company_name)):
        raise invalid(
            "linkedin_url",
            "is required, or else `email`, or `first_name` and `last_name` with `company_domain` or `company_name`.",
        )
    return query


NORMALISERS = {
    "linkedin_url": identifiers.person_url,
    "email": identifiers.email,
    "company_domain": identifiers.domain,
}


def _normal(field: str, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return NORMALISERS[field](text)
    except ValueError as error:
        raise invalid(field, str(error)) from None


def _text(text: str | None) -> str | None:
    return text.strip() or None if text is not None else None


def lookup_key(query: PersonQuery) -> str:
    """What makes two queries the same look-up."""
    if query.linkedin_url:
        return query.linkedin_url
    if query.email:
        return query.email
    name = identifiers.name_key(f"{query.first_name} {query.last_name}")
    return f"{name}|{query.company_domain or identifiers.company_key(query.company_name or '')}"
