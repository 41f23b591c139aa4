"""Who is spoken of: the people in a JSON value or a text, by their identifiers, and when two of them are the same."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, cast

import msgspec

from addtocrm.core import identifiers

TOKEN = re.compile(r"[\s<>\"'“”‘’(),;]+")
LINKEDIN = re.compile(r"linkedin\.com/\S*", re.IGNORECASE)
TITLES = "dr|prof|professor|mr|mrs|ms|miss|mx|sir|dame|dipl|ing|ph ?d|md|mba|m ?sc|b ?sc|esq"
"""What stands before or after a name and tells nobody apart, as a regular expression over `identifiers.name_key`, of
whole words (those that are also names are not in it, nor those that tell a son from his father)."""
_TITLES = re.compile(rf"\b(?:{TITLES})\b", re.ASCII)


class Individual(NamedTuple):
    """One person as one place knows them: a LinkedIn URL, email addresses, a name, and LinkedIn URLs that they had
    before, each in its canonical form."""

    linkedin_url: str | None
    emails: frozenset[str]
    name: str
    former_urls: frozenset[str] = frozenset()

    @property
    def identifiers(self) -> set[str]:
        """`linkedin:<URL>` and `email:<address>`."""
        urls = {self.linkedin_url, *self.former_urls} - {None}
        return {f"linkedin:{url}" for url in urls} | {f"email:{email}" for email in self.emails}

    @property
    def signatures(self) -> set[str]:
        """What somebody without a LinkedIn URL is known by at an address that others have too: `signature` of each."""
        return (
            set[str]() if self.linkedin_url else {one for email in self.emails if (one := signature(email, self.name))}
        )

    @property
    def formerly(self) -> set[str]:
        """What hashes from before IDNA 2008 know addresses by whose domain had another form then."""
        changed = {identifiers.former_email(email) for email in self.emails} - self.emails
        return {f"formerly:{digest(f'email:{email}').hex()}" for email in changed}


def individual(
    linkedin_url: str | None, emails: Iterable[str | None], name: str = "", former_urls: Iterable[str] = ()
) -> Individual:
    """Somebody by identifiers in any form; one that is none is left out."""
    url = _canonical(identifiers.person_url, linkedin_url)
    keys = (_canonical(identifiers.email_key, email) for email in emails)
    former = (_canonical(identifiers.person_url, one) for one in former_urls)
    return Individual(
        url,
        frozenset(key for key in keys if key),
        identifiers.name_key(name),
        frozenset(one for one in former if one),
    )


def same(one: Individual, other: Individual) -> bool:
    """Whether two who share an email address are one person: nothing that both are known by differs."""
    if one.linkedin_url and other.linkedin_url:
        return one.linkedin_url == other.linkedin_url
    return same_name(one.name, other.name)


def same_name(one: str, other: str) -> bool:
    """Whether two names (by `identifiers.name_key`) may be one: one has all words of the other, or says nothing."""
    words, others = set(name_words(one)), set(name_words(other))
    return words <= others or others <= words


def name_words(name: str) -> list[str]:
    """The words of a name (by `identifiers.name_key`) without titles; of a name of titles only, all."""
    return _TITLES.sub(" ", name).split() or name.split()


def signature(email: str, name: str) -> str | None:
    """`signature:<address>|<first and last word of the name>`, in the order of the alphabet; None without a name."""
    words = name_words(name)
    return f"signature:{email}|{' '.join(sorted({words[0], words[-1]}))}" if words else None


def spoken_of(value: Any) -> Iterator[Individual]:
    """The people in a JSON value: its objects with a LinkedIn URL or an address, and texts that are one of these."""
    if isinstance(value, str):
        found = individual(value if "in/" in value.lower() or "pub/" in value.lower() else None, [value])
        if found.identifiers:
            yield found
    elif isinstance(value, list):
        for one in cast(list[Any], value):
            yield from spoken_of(one)
    elif isinstance(value, dict):
        fields = cast(dict[str, Any], value)
        found = _person(fields)
        if found.identifiers:
            yield found
        for name, one in fields.items():
            if name not in IDENTIFYING and isinstance(one, dict | list):
                yield from spoken_of(one)


IDENTIFYING = ("linkedin_url", "former_linkedin_urls", "email", "emails", "other_emails")


def _person(fields: Mapping[str, Any]) -> Individual:
    entries: list[Any] = [fields.get("email"), *(fields.get("emails") or ()), *(fields.get("other_emails") or ())]
    emails = [cast(dict[str, Any], one).get("email") if isinstance(one, dict) else one for one in entries]
    name = fields.get("full_name") or f"{fields.get('first_name') or ''} {fields.get('last_name') or ''}"
    url, former = fields.get("linkedin_url"), fields.get("former_linkedin_urls")
    return individual(
        url if isinstance(url, str) else None,
        [one for one in emails if isinstance(one, str)],
        str(name),
        [one for one in cast(list[Any], former) if isinstance(one, str)] if isinstance(former, list) else (),
    )


def mentioned(text: str) -> set[str]:
    """The identifiers of people in a free text."""
    found: set[str] = set()
    for token in TOKEN.split(text):
        if "@" in token:
            email = _canonical(identifiers.email_key, token.rpartition(":")[2].strip(".!?"))
            found |= {f"email:{email}"} if email else set()
        if profile := LINKEDIN.search(token):
            url = _canonical(identifiers.person_url, profile.group().rstrip(".!?"))
            found |= {f"linkedin:{url}"} if url else set()
    return found


def digest(identifier: str) -> bytes:
    """The identifier as columns named `subjects` and `mentions` have it: its SHA-256."""
    return hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).digest()


def digests(people: Iterable[Individual]) -> list[bytes]:
    """The digests of all that `people` are known by, each once: identifiers, signatures, and former forms."""
    known = {name for one in people for name in one.identifiers | one.signatures | one.formerly}
    return [digest(one) for one in sorted(known)]


def packed(subjects: Iterable[bytes]) -> str:
    """Digests as JSON, which the SQL function `digests_of` reads: an array of arrays has no other form."""
    return msgspec.json.encode([one.hex() for one in subjects]).decode()


def _canonical(normalise: Callable[[str], str], text: str | None) -> str | None:
    try:
        return normalise(text) if text else None
    except ValueError:
        return None
