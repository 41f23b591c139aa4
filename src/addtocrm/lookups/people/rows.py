"""People as the rows of a table have them."""

from collections.abc import Mapping, Sequence

from addtocrm.core.matching.names import given_and_family
from addtocrm.lookups import columns

USUAL = {
    "linkedin": (
        *("linkedin url", "linkedin", "linkedin profile", "linkedin profile url", "person linkedin url"),
        *("linkedin link", "profile url"),
    ),
    "email": ("email", "email address", "work email", "business email"),
    "name": ("full name", "name", "contact name", "person name"),
    "first-name": ("first name", "given name"),
    "last-name": ("last name", "family name", "surname"),
    "company": ("company name", "company", "organization", "organisation", "employer", "account name"),
    "domain": ("company domain", "domain", "company website", "website"),
}
"""What the columns that say who is meant are mostly called."""
LONGEST = {**dict.fromkeys(USUAL, 200), "linkedin": 2000, "email": 320, "domain": 300}
"""Characters that a request may have; what is right of a URL, an address or a domain has no more."""

Places = Mapping[str, int | None]
"""For each name in USUAL, where its column is."""


def places_of(header: Sequence[str], named: Mapping[str, str | None] = {}) -> Places:
    """Where the columns are; those that are `named` have that name. Raises ApiError where one of these is not there."""
    return {what: columns.place(header, f"{what}-column", named.get(what), usual) for what, usual in USUAL.items()}


def say_who(places: Places) -> bool:
    """Whether a row can say who is meant."""
    there = {what for what, place in places.items() if place is not None}
    named = "name" in there or {"first-name", "last-name"} <= there
    return bool(there & {"linkedin", "email"} or (named and there & {"company", "domain"}))


def who(row: Sequence[str], places: Places) -> dict[str, str]:
    """Who is meant in a row, as fields of EnrichPerson; empty where it does not say."""

    def get(what: str) -> str:
        return columns.text(row, places[what], LONGEST[what])

    if url := get("linkedin"):
        return {"linkedin_url": url}
    if email := get("email"):
        return {"email": email}
    first, last = get("first-name"), get("last-name")
    if not (first and last):
        first, last = given_and_family(get("name"))
    employer = {"company_name": get("company"), "company_domain": get("domain")}
    known = {field: text for field, text in employer.items() if text}
    return {"first_name": first, "last_name": last, **known} if first and last and known else {}
