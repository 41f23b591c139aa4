"""Several rows about one person or company as one."""

from collections.abc import Iterable

from addtocrm.sources.dataset.model import Row

EMPLOYMENT = ("company", "job_title", "seniority", "department")
"""What belongs to a person's employment (as crm/merge.py has it for contacts)."""

MOST_SHARING = 50
"""An email address that more people have does not tell who a row is about."""


def both(before: Row, row: Row) -> Row:
    """One row of two: what the later one says counts, where it says anything. An employment is one thing."""
    keys, data = before.keys, before.data
    employer, new = data.get("company"), row.data.get("company")
    if employer and new:
        if _elsewhere(before, row):
            keys = (*keys[:2], None, None)
            data = {name: value for name, value in data.items() if name not in EMPLOYMENT}
        else:
            new = {**employer, **new}
    merged = {**data, **row.data, **({"company": new} if new else {})}
    return Row(row.identity, tuple(new or old for new, old in zip(row.keys, keys, strict=True)), merged)


def _elsewhere(before: Row, row: Row) -> bool:
    """Whether two rows of a person name different employers, as the SQL function `works_elsewhere` has it."""
    (_, _, domain, company), (_, _, new_domain, new_company) = before.keys, row.keys
    if not (domain or company) or not (new_domain or new_company):
        return False
    if domain and new_domain:
        return domain != new_domain
    return not company or company != new_company


def changes(known: Row | None, rows: Iterable[Row]) -> int:
    """How many of `rows` say something new, each where `known` and the rows before it were known."""
    count = 0
    for row in rows:
        now = both(known, row) if known else row
        if known is None or (now.keys, now.data) != (known.keys, known.data):
            count += 1
        known = now
    return count
