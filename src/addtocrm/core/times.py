"""Times as the contract writes and reads them."""

import re
from datetime import UTC, datetime, timedelta

END_OF_DAY = re.compile(r"([^T ]+[T ])24(?::?00(?::?00(?:[.,]0+)?)?)?([Z+-].*)?", re.ASCII)


def rfc3339(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds and `Z`: `2026-01-31T09:00:00.000000Z`."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> datetime:
    """An ISO 8601 date or time in UTC; one without an offset is UTC already.

    As RFC 3339 (5.6) has it, `t` and `z` may be lower-case; as ISO 8601 has it, 24:00 is the end of a day.
    Raises ValueError.
    """
    text = text.strip().upper()
    ends_day = END_OF_DAY.fullmatch(text)
    if ends_day:
        text = f"{ends_day[1]}00:00{ends_day[2] or ''}"
    try:
        time = datetime.fromisoformat(text) + timedelta(days=1 if ends_day else 0)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text} is beyond the years 1 to 9999") from None
