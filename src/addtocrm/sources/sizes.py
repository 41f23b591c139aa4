"""Sizes of companies, by employees: LinkedIn's classes (https://www.linkedin.com/help/linkedin/answer/a564070)."""

import re
from functools import lru_cache

SIZES = ("1-10", "11-50", "51-200", "201-500", "501-1000", "1001-5000", "5001-10000", "10001+")
FIRST = tuple(int(re.split(r"[-+]", one)[0]) for one in SIZES)


@lru_cache(maxsize=4096)
def size(text: str) -> str | None:
    """The class of a size in any form (`2-10 employees`, `10,001+`, `1200`); None for another text."""
    found = re.match(r"\D*(\d{1,12})", re.sub(r"(?<=\d)[,. ](?=\d{3})", "", text))
    employees = int(found[1]) if found else 0
    return next(
        (name for name, first in zip(reversed(SIZES), reversed(FIRST), strict=True) if employees >= first), None
    )
