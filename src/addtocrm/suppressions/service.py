"""The rules of the suppression list. It keeps hashes only."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

import msgspec

from addtocrm import identifiers
from addtocrm.db.pool import Connection, Pool
from addtocrm.errors import invalid
from addtocrm.suppressions import store

PROFILE = "linkedin.com/in/"


class Forgotten(msgspec.Struct, frozen=True):
    """How many identifiers were put on the list, and from how many rows of each table the person was taken."""

    identifiers: int
    removed: dict[str, int]


def subjects(linkedin_url: str | None, emails: Iterable[str | None]) -> list[bytes]:
    """What the list would have of a person with these (normalised) identifiers."""
    named = [f"linkedin:{linkedin_url}"] if linkedin_url else []
    named += [f"email:{email.lower()}" for email in emails if email]
    return [hashlib.sha256(name.encode()).digest() for name in dict.fromkeys(named)]


async def first_suppressed(connection: Connection, people: Sequence[Sequence[bytes]]) -> int | None:
    """The place of the first of `people` (each their `subjects`) who asked to be forgotten.

    In the transaction of `connection`: until its end nobody is added to the list.
    """
    hashes = [hash for person in people for hash in person]
    found = await store.suppressed(connection, hashes) if hashes else set[bytes]()
    return next((place for place, person in enumerate(people) if found.intersection(person)), None)


async def forget(pool: Pool, identifier: str) -> Forgotten:
    """Puts a person on the list, by LinkedIn URL or e-mail and all that the dataset knows them by, and takes them
    out of every place. Raises ApiError `validation_error` where `identifier` is neither.
    """
    urls, emails = _read(identifier)
    async with pool.acquire() as connection:
        for row in await store.known_as(connection, list(urls), list(emails)):
            if row["linkedin_url"]:
                urls.add(row["linkedin_url"])
            emails.update(email.lower() for email in row["emails"] if email)
        hashes = [hash for url in urls for hash in subjects(url, ())] + subjects(None, emails)
        # Once the list is written nobody can come back, so that clearing the tables need hold nobody up.
        async with connection.transaction():
            await store.lock_exclusively(connection)
            await store.add(connection, hashes)
        async with connection.transaction():
            removed = await store.clear(connection, list(urls), list(emails), _pattern(urls, emails))
    return Forgotten(len(hashes), removed)


def _read(identifier: str) -> tuple[set[str], set[str]]:
    try:
        if "@" in identifier:
            return set(), {identifiers.email(identifier).lower()}
        return {identifiers.person_url(identifier)}, set()
    except ValueError as error:
        raise invalid("identifier", str(error)) from None


def _pattern(urls: Iterable[str], emails: Iterable[str]) -> str:
    """A regular expression (PostgreSQL's, over lower case) of all forms in which one of these may be written."""
    forms = [f"(^|[^a-z0-9._+-]){re.escape(email)}($|[^a-z0-9.-])" for email in emails]
    for url in urls:
        slug = url.rpartition("/")[2]
        for form in {slug.lower(), unquote(slug).lower()}:
            forms.append(f"{re.escape(PROFILE + form)}($|[^a-z0-9%_.~-])")
    return "|".join(forms)
