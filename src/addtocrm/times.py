"""Times as the contract writes them."""

from datetime import UTC, datetime


def rfc3339(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds and `Z`: `2026-01-31T09:00:00.000000Z`."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
