"""How sure a match is, from 0 to 1, by what made it (docs/matching.md has the same table).

A LinkedIn URL is certain. Every other number says how much speaks for the match beside another; it is set by hand,
orders matches, and is no measured probability (docs/matching.md says how often each was right on generated people).
"""

from typing import Literal

from addtocrm.core.matching import companies, names

Key = Literal["linkedin_url", "former_linkedin_url", "email", "other_email"]

BY_KEY: dict[Key, float] = {"linkedin_url": 1.0, "former_linkedin_url": 0.95, "email": 0.95, "other_email": 0.9}
"""By something that is one person's: their LinkedIn URL of now or before, their main or another email address."""

BY_EMPLOYER: dict[tuple[companies.Grade, bool], float] = {
    (companies.Grade.SITE, True): 0.9,
    (companies.Grade.NAME, True): 0.8,
    (companies.Grade.SITE, False): 0.7,
    (companies.Grade.NAME, False): 0.6,
}
"""By the same name at a company that is known by its site or name; True where they work there now, False before."""

BY_NAME: dict[names.Grade, float] = {
    names.Grade.SAME: 1.0,
    names.Grade.REORDERED: 0.95,
    names.Grade.SHORTER: 0.9,
    names.Grade.LONGER: 0.9,
    names.Grade.NICKNAME: 0.85,
    names.Grade.TRANSLITERATED: 0.85,
    names.Grade.INITIAL: 0.7,
    names.Grade.VAGUE: 0.6,
}
"""What another way to write the name leaves of that."""


def by_name(name: names.Grade, employer: companies.Grade, *, now: bool) -> float:
    """How sure a match by name and employer is."""
    return round(BY_EMPLOYER[employer, now] * BY_NAME[name], 3)
