"""How often Pipedrive may be asked, and what its headers say of that."""

import re
from collections.abc import Mapping
from typing import Any

from addtocrm.core.outgoing.vendor import Lesson, Quota, Vendor, Window

WINDOW_SECONDS = 2.0
DAY_SECONDS = 3600.0
"""So long it rests when the day's budget is used up; when its day ends is not told, and more can be bought."""


def learn(headers: Mapping[str, str]) -> Lesson | None:
    """The quota that an answer's headers say."""
    limit = headers.get("x-ratelimit-limit", "")
    return Lesson(within(int(limit))) if re.fullmatch(r"[1-9]\d{0,3}", limit) else None


def throttled(headers: Mapping[str, str], _: Any) -> float | None:
    """When a 429 ends: with the window, or, where the day's budget is used up, at some time that is not told."""
    if re.fullmatch(r"0|-\d+", headers.get("x-daily-ratelimit-token-remaining", "")):
        return DAY_SECONDS
    reset = headers.get("x-ratelimit-reset", "")
    return float(reset) if re.fullmatch(r"\d{1,3}(\.\d+)?", reset) else None


def within(requests: int) -> Quota:
    return Quota((Window(requests, WINDOW_SECONDS),))


VENDOR = Vendor(name="pipedrive", quota=within(20), learn=learn, throttled=throttled)
SEARCH = Vendor(name="pipedrive-search", quota=within(10), part_of=VENDOR, throttled=throttled)
