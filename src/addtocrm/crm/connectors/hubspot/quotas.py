"""What HubSpot grants, and how it says so."""

from collections.abc import Mapping
from typing import Any, cast

from addtocrm.core.outgoing.vendor import Lesson, Quota, Vendor, Window

DAY_USED_UP, WINDOW_USED_UP = 900.0, 10.0
SEARCH = Vendor(name="hubspot-search", quota=Quota((Window(5, 1.0),)))


def learn(headers: Mapping[str, str]) -> Lesson | None:
    """The quota that an answer's headers (lower-case names) say, or the pause where the day is used up."""
    if headers.get("x-hubspot-ratelimit-daily-remaining") == "0":
        return Lesson(pause=DAY_USED_UP)
    most = headers.get("x-hubspot-ratelimit-max", "")
    millis = headers.get("x-hubspot-ratelimit-interval-milliseconds", "")
    if not (most.isdigit() and millis.isdigit() and int(most) and int(millis)):
        return None
    return Lesson(quota=Quota((Window(int(most), int(millis) / 1000),)))


def throttled(headers: Mapping[str, str], body: Any) -> float:
    """For how many seconds a 429 grants nothing: it names its policy in the body."""
    said = cast(dict[str, Any], body) if isinstance(body, dict) else {}
    return {"DAILY": DAY_USED_UP, "SECONDLY": 1.0}.get(str(said.get("policyName")), WINDOW_USED_UP)
