"""Finds a person's work address from the name and the domain."""

from collections.abc import Sequence

from addtocrm.mail.engine import Engine
from addtocrm.mail.model import Found, KnownAddress
from addtocrm.mail.patterns import candidates, learn
from addtocrm.mail.syntax import parse

BUDGET_SECONDS = 30.0


async def find(
    engine: Engine,
    first_name: str,
    last_name: str,
    domain: str,
    known: Sequence[KnownAddress] = (),
    *,
    budget_seconds: float = BUDGET_SECONDS,
) -> Found | None:
    """The first likely address that the domain's server confirms, with the server's word; None where none is.

    `known` are people of the domain: their pattern goes first, and their addresses are nobody else's. Where the
    domain takes any address, the likeliest one is given only if the pattern is known so: as `risky`, with
    `confidence` the share of the known people who have it, counted as if one more had another.
    """
    ascii_domain = _ascii(domain)
    if ascii_domain is None:
        return None
    learnt = learn(known, ascii_domain)
    taken = _taken(known, first_name, last_name)
    likely = [one for one in candidates(first_name, last_name, learnt) if f"{one.local}@{ascii_domain}" not in taken]
    if not likely:
        return None
    asked = [f"{one.local}@{ascii_domain}" for one in likely]
    checked = await engine.check(asked, budget_seconds=budget_seconds, stop_at_accepted=True)
    for candidate, one in zip(likely, checked, strict=True):
        found = one.verification
        if found.result == "deliverable":
            return Found(email=found.email, pattern=candidate.pattern, confidence=found.score / 100, verification=found)
        if found.reason == "catch_all" and learnt[candidate.pattern]:
            confidence = learnt[candidate.pattern] / (learnt.total() + 1)
            return Found(email=found.email, pattern=candidate.pattern, confidence=confidence, verification=found)
    return None


def _ascii(domain: str) -> str | None:
    address = parse(f"x@{domain.strip()}")
    return address.domain if address else None


def _taken(known: Sequence[KnownAddress], first_name: str, last_name: str) -> set[str]:
    """The known addresses of other people."""
    name = (first_name.casefold().strip(), last_name.casefold().strip())
    parsed = [
        parse(person.email)
        for person in known
        if (person.first_name.casefold().strip(), person.last_name.casefold().strip()) != name
    ]
    return {f"{address.local.lower()}@{address.domain}" for address in parsed if address}
