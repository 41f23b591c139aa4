"""A name as people write it, taken apart: titles and degrees go, and so does what is in brackets."""

import re
import unicodedata
from typing import NamedTuple

ADDRESSES = {
    **dict.fromkeys(("mr", "sir", "herr", "monsieur", "señor", "senor", "signor", "meneer"), "man"),
    **dict.fromkeys(("mrs", "ms", "miss", "dame", "frau", "madame", "mme", "mlle", "señora", "senora"), "woman"),
    **dict.fromkeys(("señorita", "senorita", "sra", "srta", "signora", "mevrouw"), "woman"),
}
"""How a man or a woman is addressed."""

TITLES = frozenset((*ADDRESSES, "dr", "prof", "professor", "mx", "dipl", "ing", "rev", "hon"))
"""What stands before a name."""

AFTER_TITLES = frozenset(("med", "phil", "rer", "nat", "jur", "habil", "h", "c", "ing", "oec"))
"""What stands, with a full stop, between a title and a name."""

DEGREES = frozenset(
    (
        *("phd", "md", "mba", "emba", "msc", "bsc", "dphil", "dds", "dba", "jd", "esq", "cpa", "cfa", "pmp", "llm"),
        *("llb", "mph"),
    )
)
"""What stands after a name, also without a comma."""

SHORT_DEGREES = frozenset(
    (
        *("ma", "ba", "ms", "bs", "mfa", "med", "be", "pe", "rn", "shrm", "cissp", "csm", "acca", "cma", "cipd"),
        *("fca"),
    )
)
"""What stands after a name and a comma: without one, some are names."""

GENERATIONS = {
    "jr": "jr",
    "junior": "jr",
    "sr": "sr",
    "senior": "sr",
    "ii": "ii",
    "2nd": "ii",
    "iii": "iii",
    "3rd": "iii",
    "iv": "iv",
    "4th": "iv",
}
"""What tells a child from a parent, after the name."""

PARTICLES = frozenset(
    (
        *("af", "al", "ap", "ben", "bin", "bint", "da", "dal", "das", "de", "degli", "dei", "del", "della", "den"),
        *("der", "di", "do", "dos", "du", "e", "el", "ibn", "la", "las", "le", "les", "lo", "los", "ten", "ter"),
        *("to", "und", "van", "vande", "vander", "vom", "von", "y", "zu", "zum", "zur"),
    )
)
"""Small words in a name that are often left out."""

BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|[\"“„”«»][^\"“„”«»]*[\"“„”«»]")
APOSTROPHES = re.compile(r"['’‘`´ʼʹ]")
PHD = re.compile(r"\bph\.? ?d\b\.?", re.IGNORECASE)
NOT_NAME = re.compile(r"[^\w\s]|_")
LONGEST = 300


class Written(NamedTuple):
    """The words of a name as they are written (a hyphen parts them). `after` are those behind a comma, where the given
    names are; `generation` is a value of GENERATIONS and `address` one of ADDRESSES, or empty."""

    words: list[str]
    after: list[str]
    generation: str
    address: str


def taken_apart(text: str) -> Written:
    """`Dr. Doe-Roe, Jane, MBA` has the words Doe and Roe, and Jane after them. Of a name longer than LONGEST, its
    beginning; a name of titles only keeps the last."""
    cleaned = BRACKETS.sub(" ", unicodedata.normalize("NFC", text[:LONGEST]))
    segments = PHD.sub("phd", APOSTROPHES.sub("", cleaned)).split(",")
    first, *others = (segment.split() for segment in segments)
    generation, after = "", list[str]()
    for tokens in others:
        if all(_bare(token) in TITLES | DEGREES | SHORT_DEGREES or _bare(token) in GENERATIONS for token in tokens):
            generation = next(
                (GENERATIONS[one] for token in tokens if (one := _bare(token)) in GENERATIONS), generation
            )
        elif not after:
            after = tokens
    first, found, address = _without_extras(first)
    after, found_after, address_after = _without_extras(after)
    generation = generation or found or found_after
    return Written(_words(first), _words(after), generation, address or address_after)


def _without_extras(tokens: list[str]) -> tuple[list[str], str, str]:
    """The tokens without titles before and degrees after them; the generation, and the address."""
    start, end, generation = 0, len(tokens), ""
    while end > 1 and (_bare(tokens[end - 1]) in DEGREES or _bare(tokens[end - 1]) in GENERATIONS):
        end -= 1
        generation = GENERATIONS.get(_bare(tokens[end]), generation)
    while start < end - 1 and (
        _bare(tokens[start]) in TITLES
        or (start and tokens[start].endswith(".") and _bare(tokens[start]) in AFTER_TITLES)
    ):
        start += 1
    addresses = (ADDRESSES.get(_bare(token), "") for token in tokens[:start])
    return tokens[start:end], generation, next(filter(None, addresses), "")


def _bare(token: str) -> str:
    return token.replace(".", "").lower()


def _words(tokens: list[str]) -> list[str]:
    return NOT_NAME.sub(" ", " ".join(tokens)).split()
