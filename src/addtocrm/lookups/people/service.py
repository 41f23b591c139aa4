"""Person enrichment: which look-up a request is, and what the providers' match becomes."""

from collections.abc import Iterable

import msgspec

from addtocrm.core import identifiers
from addtocrm.core.caller import Caller
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.matching import companies
from addtocrm.core.records.person import Person
from addtocrm.lookups.model import Answer, Operation, Outcome, Refresh
from addtocrm.lookups.people.model import EnrichPerson
from addtocrm.lookups.service import Lookups
from addtocrm.privacy.service import subjects
from addtocrm.sources.asked import asked
from addtocrm.sources.contract import PersonQuery
from addtocrm.sources.waterfall import OWN_FIELDS, Waterfall, has_required

ENRICH = Operation("people.enrich", "person.enriched")


async def enrich(
    lookups: Lookups,
    waterfall: Waterfall,
    caller: Caller,
    query: PersonQuery,
    *,
    refresh: Refresh = False,
    min_confidence: float = 0.0,
) -> Answer:
    """The person that `query` (from `query_of`) asks for; costs a credit unless it is cached.

    Raises ApiError: `not_found` (free) where nobody matches with `min_confidence` and all that `query.required`
    names, `insufficient_credits`.
    """

    async def work() -> Outcome | None:
        person = await waterfall.person(query, min_confidence)
        if person is None:
            return None
        told = {"id": person.id, "linkedin_url": person.linkedin_url, "full_name": person.full_name}
        emails = [person.email, *(entry.email for entry in person.emails)]
        about = subjects(person.linkedin_url, emails, person.full_name or "")
        return Outcome(msgspec.json.encode(person), told, subjects=about)

    def accept(data: bytes) -> bool:
        person = msgspec.json.decode(data, type=Person)
        return has_required(person, query.required) and (person.confidence or 0) >= min_confidence

    answer = await lookups.run(
        caller,
        ENRICH,
        lookup_key(query),
        work,
        refresh=refresh,
        accept=accept if query.required or min_confidence else None,
        variant=f"{min_confidence}{query.required}",
        subjects=subjects(query.linkedin_url, [query.email], f"{query.first_name or ''} {query.last_name or ''}"),
    )
    if answer is None:
        raise ApiError(
            "not_found",
            "Nobody in the data matches; nothing was charged. Check the URL, or ask by email or name.",
        )
    return answer


async def cached(lookups: Lookups, account_id: str, query: PersonQuery) -> bytes | None:
    """The person that `query` asks for, where the cache has them; it costs nothing."""
    return await lookups.kept(account_id, ENRICH, lookup_key(query))


def query_of(body: EnrichPerson) -> PersonQuery:
    """The normalised query: by LinkedIn URL, else e-mail, else name and company.

    Raises ApiError `validation_error` that names the field.
    """
    check_required(body.required)
    query = PersonQuery(
        linkedin_url=_normal("linkedin_url", body.linkedin_url),
        email=_normal("email", body.email),
        first_name=_text(body.first_name),
        last_name=_text(body.last_name),
        company_domain=_normal("company_domain", body.company_domain),
        company_name=_text(body.company_name),
        required=tuple(sorted(set(body.required))),
    )
    if query.linkedin_url or query.email:
        return query
    if not (query.first_name and query.last_name and (query.company_domain or query.company_name)):
        raise invalid(
            "linkedin_url",
            "is required, or else `email`, or `first_name` and `last_name` with `company_domain` or `company_name`.",
        )
    return query


def check_required(names: Iterable[str]) -> None:
    """Raises ApiError `validation_error` for a name that is no field of a person."""
    unknown = sorted(set(names) - (set(Person.__struct_fields__) - OWN_FIELDS))
    if unknown:
        raise invalid("required", f"{unknown[0]} is not a field of a person.")


NORMALISERS = {
    "linkedin_url": identifiers.person_url,
    "email": identifiers.email,
    "company_domain": companies.own_domain,
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


ENCODER = msgspec.json.Encoder(order="deterministic")


def lookup_key(query: PersonQuery) -> str:
    """What makes two queries the same look-up: that the matcher reads the same in them."""
    who = asked(query)
    if key := who.linkedin_url or who.email:
        return key
    sites, keys, han = who.company
    return identifiers.bounded(ENCODER.encode((who.name, (sites, keys), *([han] if han else []))).decode())
