"""Who is one member of a list: the same LinkedIn URL, else (where one of the two has none) the same email address
unless their names are two people's, else the same name at the same company (docs/matching.md)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import asyncpg
import msgspec

from addtocrm.core import identifiers
from addtocrm.core.errors import invalid
from addtocrm.core.individuals import Individual, individual, spoken_of
from addtocrm.core.matching import companies, names
from addtocrm.core.matching.han import han, heard
from addtocrm.crm.model import PersonInput

NOBODY = individual(None, ())


class Named(NamedTuple):
    """A person's name and their company's, as they are written."""

    person: str
    company: str


class Entry(NamedTuple):
    """Somebody as a list knows them: by `identity`, of which `exact` has the Han characters too (that of who sounds the
    same as a member who is somebody else), else by `email` where nothing tells them apart."""

    identity: str
    exact: str
    email: str | None
    who: Individual
    named: Named


class Known(NamedTuple):
    """Whom the JSON of a member speaks of."""

    who: Individual
    named: Named


def known_of(text: str) -> Known:
    person = msgspec.json.decode(text)
    return Known(next(spoken_of(person), NOBODY), _named(person))


class Members:
    """Members of a list, rows of (id, identity, email, JSON person), and whom they are found for; what is `known` of
    some by their ids is not read again."""

    def __init__(self, rows: Sequence[asyncpg.Record], known: Mapping[str, Known]) -> None:
        self._by_identity: dict[str, tuple[str, Named]] = {}
        self._by_email: dict[str, list[tuple[str, Individual, Named]]] = {}
        for row in rows:
            self._put(row["id"], row["identity"], row["email"], *(known.get(row["id"]) or known_of(row["person"])))

    def find(self, entry: Entry) -> str | None:
        """The id of the member that this is; None where they are no member, or several could be."""
        if there := self._by_identity.get(entry.exact):
            return there[0]
        there = self._by_identity.get(entry.identity)
        if there and not _told_apart(there[1], entry.named):
            return there[0]
        at_address = self._by_email.get(entry.email or "", [])
        candidates = [id for id, who, named in at_address if _may_be_one(who, named, entry)]
        return candidates[0] if len(candidates) == 1 else None

    def put(self, id: str, entry: Entry) -> str:
        """Makes somebody who is not found a member; gives by which identity they are known."""
        identity = entry.exact if entry.identity in self._by_identity else entry.identity
        self._put(id, identity, entry.email, entry.who, entry.named)
        return identity

    def _put(self, id: str, identity: str, email: str | None, who: Individual, named: Named) -> None:
        self._by_identity[identity] = id, named
        if email:
            self._by_email.setdefault(email, []).append((id, who, named))


def _told_apart(one: Named, other: Named) -> bool:
    return names.told_apart(one.person, other.person) or companies.told_apart(one.company, other.company)


def _may_be_one(who: Individual, named: Named, entry: Entry) -> bool:
    if who.linkedin_url and entry.who.linkedin_url:
        return who.linkedin_url == entry.who.linkedin_url
    return names.may_be_one(named.person, entry.named.person)


def entry_of(person: PersonInput, path: str) -> Entry:
    """A person as a list knows them. Raises ApiError where there is nothing to know them by."""
    field = "linkedin_url"
    try:
        url = identifiers.person_url(person.linkedin_url) if person.linkedin_url else None
        field = "email"
        email = identifiers.email_key(person.email) if person.email else None
    except ValueError as error:
        raise invalid(f"{path}.{field}", str(error)) from None
    named = _named(msgspec.to_builtins(person))
    who = individual(url, [email, *(entry.email for entry in person.emails or ())], named.person)
    name = heard(who.name, han(named.person))
    if url:
        identity = "in:" + url.rpartition("/")[2]
        return Entry(identity, identity, email, who, named)
    if email:
        identity, exact = (f"em:{email}|{one}" if one else f"em:{email}" for one in (who.name, name))
        return Entry(identity, exact, email, who, named)
    if not who.name:
        raise invalid(path, "needs a LinkedIn URL, an email or a name.")
    domain = person.company_domain or (person.company and person.company.domain)
    place = _domain(domain) if domain else identifiers.company_key(named.company)
    company = "" if domain else named.company
    exact = f"nc:{name}|{heard(place, companies.han(company))}"
    return Entry(f"nc:{who.name}|{place}", exact, None, who, Named(named.person, company))


def _named(person: Mapping[str, Any]) -> Named:
    company: Mapping[str, Any] = person.get("company") or {}
    name = person.get("full_name") or f"{person.get('first_name') or ''} {person.get('last_name') or ''}"
    return Named(name, person.get("company_name") or company.get("name") or "")


def _domain(text: str) -> str:
    try:
        return identifiers.domain(text)
    except ValueError:
        return text.lower()
