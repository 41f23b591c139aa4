"""What every refusal of the gate has."""

from typing import Any

import httpx2 as httpx

HEADERS = [
    "x-ratelimit-limit-minute",
    "x-ratelimit-remaining-minute",
    "x-ratelimit-reset-minute",
    "x-ratelimit-limit-hour",
    "x-ratelimit-remaining-hour",
    "x-ratelimit-reset-hour",
    "x-request-id",
]


def refused(response: httpx.Response, status: int, type: str) -> dict[str, Any]:
    """Checks an error answer's form, and gives the error."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error"}
    error = body["error"]
    assert error["type"] == type
    assert error["request_id"] == response.headers["x-request-id"]
    assert error["message"]
    assert not set(error) - {"type", "message", "request_id", "retry_after_seconds", "details"}
    for header in HEADERS:
        assert header in response.headers, header
    return error
