"""Whether two companies are the same, by their sites and names."""

import re
from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from publicsuffixlist import PublicSuffixList

from addtocrm.core import identifiers
from addtocrm.core.matching.han import han_in
from addtocrm.core.matching.hosts import BUILDERS, NOBODYS, PAGES
from addtocrm.core.matching.legal_forms import LEGAL
from addtocrm.core.matching.letters import Word, joined, spellings

RESERVED = frozenset({"example.com", "example.net", "example.org"})
"""Domains that nobody has (RFC 2606): what is below one stands for somebody's own."""

AND = frozenset({"and", "und", "et", "y", "och", "og"})
"""Words for `&`, which is often left out."""

LEGAL_FORMS = (
    *(("a", "s"), ("k", "k"), ("sp", "z", "oo"), ("sp", "zoo"), ("sa", "de", "cv"), ("s", "de", "rl", "de", "cv")),
    *((form,) for form in sorted(LEGAL)),
    *(
        (form,)
        for form in ("eurl", "sasu", "scs", "snc", "kft", "zrt", "ou", "uab", "ood", "eood", "pbc", "pjsc", "ltee")
    ),
)
"""What stands after a name, each as its words."""

BY_LAST_WORD = {last: [form for form in LEGAL_FORMS if form[-1] == last] for last in {form[-1] for form in LEGAL_FORMS}}

BEFORE = frozenset({"the", "ooo", "oao", "zao", "pao"})
"""What stands before a name and is often left out."""

BRACKETS = re.compile(r"\([^()]*\)")
MARKS = re.compile(r"[.'’`]")
NOT_WORD = re.compile(r"[\W_]+")
PATH = re.compile(r"[^:/]/+[^/?#\s]")
"""What a web address has after its host."""

SHARED = "is at {}, which many companies share; give the company's own domain, or its name."
OWNERS_BELOW = RESERVED | BUILDERS


LONGEST = 300
"""Of a longer name, the beginning counts."""


class Grade(IntEnum):
    """What makes two companies one, the surest first."""

    SITE = 1
    NAME = 2


class Company(NamedTuple):
    """A company by what it is known by: sites (`site`), names (`keys`), and the Han characters of its name (`han`)."""

    sites: frozenset[str]
    keys: frozenset[str]
    han: str = ""


@lru_cache(maxsize=16_384)
def company(name: str | None, *addresses: str | None) -> Company:
    """A company by its name, and its domain and website in any form; an address that is none is left out."""
    sites = frozenset(found for one in addresses if one and (found := _site_if_any(one)))
    return Company(sites, keys(name), han(name)) if name else Company(sites, frozenset())


def compare(one: Company, other: Company) -> Grade | None:
    """What makes two companies one: sites where both have some, else names. None where they differ."""
    if one.sites and other.sites:
        return None if one.sites.isdisjoint(other.sites) else Grade.SITE
    return None if one.keys.isdisjoint(other.keys) or _other_han(one.han, other.han) else Grade.NAME


def told_apart(one: str, other: str) -> bool:
    """Whether two names that sound the same are two companies': both have Han characters, and these differ."""
    return _other_han(han(one), han(other))


def _other_han(one: str, other: str) -> bool:
    return bool(one and other and one != other)


def own_domain(address: str) -> str:
    """The domain of a company, as `identifiers.domain`. Raises ValueError as that does, and for a page at a host that
    many share."""
    domain = identifiers.domain(address)
    if is_page(address, domain):
        raise ValueError(SHARED.format(domain))
    return domain


def is_page(address: str, domain: str) -> bool:
    """Whether an address with this domain is a page at a host that many share."""
    return ".".join(domain.split(".")[-2:]) in PAGES and PATH.search(address) is not None


@lru_cache(maxsize=16_384)
def site(address: str) -> str:
    """The domain that a company registered, of one below it or a web address: `careers.acme.co.uk` is `acme.co.uk`.

    By the public suffix list, whose private suffixes count: `acme.github.io` is a site of its own. Raises ValueError as
    `identifiers.domain` does, and for what is at a host that many share (`hosts`).
    """
    domain = own_domain(address)
    if domain in NOBODYS:
        raise ValueError(SHARED.format(domain))
    labels = domain.split(".")
    if ".".join(labels[-2:]) in OWNERS_BELOW:
        return ".".join(labels[-3:])
    return _suffixes().privatesuffix(domain) or domain


def _site_if_any(address: str) -> str | None:
    try:
        return site(address)
    except ValueError:
        return None


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def keys(name: str) -> frozenset[str]:
    """A company's name as it is compared, in all spellings: without legal forms, `&`, blanks, punctuation, and what is
    in brackets.

    `Müller & Söhne GmbH` has, among others, the key `muellersoehne`. A name of nothing else keeps a word of it.
    """
    plain = MARKS.sub("", _beginning(name))
    words = [word for one in NOT_WORD.split(plain) if (word := spellings(one))]
    while len(words) > 1 and not words[0].isdisjoint(BEFORE):
        words = words[1:]
    while size := _legal_size(words):
        words = words[:-size]
    inner = [word for word in words[1:-1] if word.isdisjoint(AND)]
    return frozenset(identifiers.bounded(key) for key in joined((*words[:1], *inner, *words[1:][-1:])))


def is_legal_form(text: str) -> bool:
    """Whether a text says the legal form of a company and nothing else: `Inc.`, `Co., Ltd.`."""
    words = MARKS.sub("", text).lower().split()
    return bool(words) and all(word.strip(",") in LEGAL for word in words)


def han(name: str) -> str:
    """The Han characters of a company's name, by which names of one key are told apart."""
    return han_in(_beginning(name))


def _beginning(name: str) -> str:
    """What counts of a name: its beginning, without what is in brackets."""
    return BRACKETS.sub(" ", name[:LONGEST]).strip() or name[:LONGEST]


def _legal_size(words: Sequence[Word]) -> int:
    """How many words at the end say the legal form; 0 where none do, or all."""
    forms = (form for last in words[-1:] for spelling in last for form in BY_LAST_WORD.get(spelling, ()))
    return next((len(form) for form in forms if len(form) < len(words) and _ends(words, form)), 0)


def _ends(words: Sequence[Word], form: Sequence[str]) -> bool:
    return all(one in word for one, word in zip(form, words[-len(form) :], strict=True))
