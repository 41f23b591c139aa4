"""Several rows about one person or company as one."""

from collections.abc import Iterable, Mapping
from typing import Any

from addtocrm.core.matching import companies
from addtocrm.core.matching.names import may_be_one, told_apart
from addtocrm.sources.dataset.model import Row

EMPLOYMENT = ("company", "job_title", "seniority", "department")
"""What belongs to a person's employment (as crm/merge.py has it for contacts)."""

Named = tuple[str | None, str | None]
"""A name as it is compared in Latin letters (`identifiers.name_key`), and as it is written."""

FORMER = "former_linkedin_urls"

MOST_SHARING = 50
"""An email address that more people have does not tell who a row is about."""


def both(before: Row, row: Row) -> Row:
    """One row of two: what the later one says counts, where it says anything. An employment is one thing."""
    keys, data = before.keys, before.data
    employer, new = data.get("company"), row.data.get("company")
    if employer and new:
        if elsewhere(employer, new):
            keys = (*keys[:2], None, None)
            data = {name: value for name, value in data.items() if name not in EMPLOYMENT}
        else:
            new = {**employer, **new}
    merged = {**data, **row.data, **({"company": new} if new else {})}
    if FORMER in data and FORMER in row.data:
        merged[FORMER] = list(dict.fromkeys([*data[FORMER], *row.data[FORMER]]))
    return Row(row.identity, tuple(new or old for new, old in zip(row.keys, keys, strict=True)), merged)


def elsewhere(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two employers, as the data of a person have them, are two companies."""
    one, other = (companies.company(some.get("name"), some.get("domain")) for some in (before, now))
    return any(one) and any(other) and companies.compare(one, other) is None


def may_be_one_person(one: Row, other: Row) -> bool:
    """Whether the names of two rows with one email address may be one person's."""
    return share_a_name(*((row.keys[1], row.data.get("full_name")) for row in (one, other)))


def share_a_name(one: Named, other: Named) -> bool:
    """As `may_be_one_person`, of names."""
    return may_be_one(one[0] or "", other[0] or "") and not told_apart(one[1] or "", other[1] or "")


def changes(known: Row | None, rows: Iterable[Row]) -> int:
    """How many of `rows` say something new, each where `known` and the rows before it were known."""
    count = 0
    for row in rows:
        now = both(known, row) if known else row
        if known is None or (now.keys, now.data) != (known.keys, known.data):
            count += 1
        known = now
    return count
