"""How a person's name is written in an address."""

import re
from collections.abc import Callable

from anyascii import anyascii

PARTICLES = frozenset(
    (
        *("al", "ap", "ben", "bin", "da", "dal", "das", "de", "degli", "del", "della", "den", "der", "di", "do"),
        *("dos", "du", "el", "ibn", "la", "las", "le", "les", "lo", "los", "san", "santa", "st", "ten", "ter"),
        *("van", "vande", "vander", "vom", "von", "y", "zu", "zum", "zur"),
    )
)
"""Small words that a family name may start with or hold."""

TITLES = frozenset(("dr", "prof", "mr", "mrs", "ms", "miss", "sir", "ing", "dipl", "herr", "frau"))
SUFFIXES = frozenset(("jr", "sr", "ii", "iii", "iv", "phd", "md", "mba", "esq", "cpa"))

SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae", "ß": "ss", "œ": "oe"})
"""German and Scandinavian letters where they are spelt out instead of losing their marks."""

Words = list[list[str]]
"""The words of a name, each as its parts between hyphens."""


def given_names(text: str) -> list[str]:
    """Ways to write a given name, likeliest first: `José María` → jose, josemaria, jose.maria."""
    return _ways(text, _given)


def family_names(text: str) -> list[str]:
    """Ways to write a family name, likeliest first: `van der Berg` → vanderberg, berg, van.der.berg."""
    return _ways(text, _family)


def _given(words: Words) -> list[str]:
    first, whole = words[0], ["".join(word) for word in words]
    return ["-".join(first), "".join(first), first[0], "".join(whole), ".".join(whole)]


def _family(words: Words) -> list[str]:
    whole = ["".join(word) for word in words]
    own = [word for word in words if "".join(word) not in PARTICLES] or words
    if len(own) < len(words):
        ways = ["".join(whole), "".join(own[-1]), ".".join(whole), "-".join(whole)]
    else:
        ways = ["-".join(own[0]), "".join(whole), "".join(own[-1]), "-".join(whole), "".join(own[0])]
    return [*ways, *own[0]] if len(own[0]) > 1 else ways


def _ways(text: str, arrange: Callable[[Words], list[str]]) -> list[str]:
    spelt_out = text.lower().translate(SPELT_OUT)
    forms = (spelt_out, text.lower()) if spelt_out != text.lower() else (text.lower(),)
    ways = [way for form in forms if (words := _words(form)) for way in arrange(words)]
    return list(dict.fromkeys(ways))


def _words(text: str) -> Words:
    plain = re.sub(r"['’`´.]", lambda mark: " " if mark.group() == "." else "", text)
    latin = anyascii(plain).lower()
    words = [re.findall(r"[a-z0-9]+", word) for word in latin.split()]
    return [word for word in words if word and "".join(word) not in TITLES | SUFFIXES]
