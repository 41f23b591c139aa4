"""How companies make addresses of names."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from addtocrm.mail.model import KnownAddress
from addtocrm.mail.names import family_names, given_names
from addtocrm.mail.syntax import parse

PATTERNS = (
    "{first}.{last}",
    "{f}{last}",
    "{first}",
    "{first}{last}",
    "{f}.{last}",
    "{first}_{last}",
    "{first}{l}",
    "{last}",
    "{first}-{last}",
    "{last}.{first}",
    "{last}{f}",
    "{first}.{l}",
    "{f}_{last}",
    "{last}{first}",
    "{last}.{f}",
    "{f}{l}",
)
"""From the most to the least frequent at companies."""

MOST_CANDIDATES = 12
WAY_COST = 2
"""Places that each less likely way to write a name costs a candidate."""


class Candidate(msgspec.Struct, frozen=True):
    """A local part, and the pattern that it follows."""

    local: str
    pattern: str


def learn(known: Iterable[KnownAddress], domain: str) -> Counter[str]:
    """How many of the known people of `domain` (ASCII) have an address of each pattern."""
    seen: Counter[str] = Counter()
    for person in known:
        address = parse(person.email)
        if address is None or address.domain != domain:
            continue
        made = _made(PATTERNS, person.first_name, person.last_name)
        fitting = [candidate.pattern for candidate in made if candidate.local == address.local.lower()]
        if fitting:
            seen[fitting[0]] += 1
    return seen


def candidates(first_name: str, last_name: str, learnt: Counter[str]) -> list[Candidate]:
    """At most MOST_CANDIDATES local parts for a name, likeliest first; patterns learnt go before all others."""
    order = sorted(PATTERNS, key=lambda pattern: (-learnt[pattern], PATTERNS.index(pattern)))
    return _made(order, first_name, last_name)[:MOST_CANDIDATES]


def _made(patterns: Sequence[str], first_name: str, last_name: str) -> list[Candidate]:
    """All candidates, by the place of their pattern and the likelihood of the way the name is written."""
    firsts, lasts = given_names(first_name), family_names(last_name)
    ranked: list[tuple[float, Candidate]] = []
    for place, pattern in enumerate(patterns):
        for cost, first, last in _pairs(pattern, firsts, lasts):
            local = pattern.format(first=first, last=last, f=first[:1], l=last[:1])
            ranked.append((place + cost * WAY_COST, Candidate(local, pattern)))
    ranked.sort(key=lambda pair: pair[0])
    made: dict[str, Candidate] = {}
    for _, candidate in ranked:
        made.setdefault(candidate.local, candidate)
    return list(made.values())


def _pairs(pattern: str, firsts: list[str], lasts: list[str]) -> Iterable[tuple[float, str, str]]:
    needs_first, needs_last = "{f" in pattern, "{l" in pattern
    if (needs_first and not firsts) or (needs_last and not lasts):
        return ()
    pairs = [
        (_cost(i, j), first, last)
        for i, first in enumerate(firsts if needs_first else [""])
        for j, last in enumerate(lasts if needs_last else [""])
    ]
    return sorted(pairs, key=lambda pair: pair[0])


def _cost(first: int, last: int) -> float:
    """How unlikely a pair of ways is; those of the same kind (both spelt out, both not) go together."""
    return first + last if first != last else first / 2
