"""A cursor is opaque: whatever else is sent in its place is refused, or read as a place past the end; never a crash."""

import base64
import json
from typing import Any

import pytest
from harness import Account
from test_openapi import operations

PLACES = [
    "null", "true", "0", "-1", "2147483648", "-2147483649", "9223372036854775808", "1" * 400, "1e999", "-0.0", "NaN",
    '""', '"x"', '"\\u0000"', '"\\ud800"', '"' + "x" * 11_000 + '"',
    '"' + "x" * 40_000 + '"', '"😀"', '"\\uffff"', "[]", "[1]", '["x"]', "{}",
    '["0001-01-01T00:00:00Z", ""]', '["0001-01-01T00:00:00+14:00", ""]', '["9999-12-31T23:59:59.999999Z", "x"]',
    '["9999-12-31T23:59:59.999999-23:59", "x"]', '["2026-01-01T00:00:00", "x"]', '["2026-01-01T00:00:00Z", "\\u0000"]',
    '["2026-01-01T00:00:00Z", 1]', '["infinity", "x"]', '[1e18, "x"]', '[0, "x"]', '["2026-01-01T00:00:00Z"]',
    '["2026-01-01T00:00:00Z", "x", "y"]', '["-2026-01-01T00:00:00Z", "x"]',
    "[" * 11_000, "[" * 30_000, '{"a":' * 2_000, '{"a":' * 6_000, "", "[", '"',
]  # fmt: skip
TEXTS = [
    *(base64.urlsafe_b64encode(place.encode()).rstrip(b"=").decode() for place in PLACES),
    base64.urlsafe_b64encode(b'"\xff\xfe"').decode(),
    base64.urlsafe_b64encode(b'"\xed\xa0\x80"').decode(),
    "=", "====", "a", "%00", "é", "../..", " ", "+/+/", "A" * 15_000, "A" * 50_001,
]  # fmt: skip


def paths(account: Account, document: dict[str, Any]) -> list[str]:
    """The address of every collection that has cursors, of this account."""
    client = account.client
    made = client.post("/v1/lists", json={"name": "Cursors"}).json()["data"]["id"]
    job = client.post("/v1/batch/companies-lookup", json={"items": ["a.example.com"]}).json()["data"]["id"]
    return [
        path.replace("{id}", job if "/jobs/" in path else made)
        for _, path, operation in operations(document)
        if any(parameter["name"] == "cursor" for parameter in operation["parameters"])
    ]


def test_no_cursor_crashes(account: Account, document: dict[str, Any]) -> None:
    found = paths(account, document)
    assert len(found) >= 8
    for path in found:
        for text in TEXTS:
            answer = account.client.get(path, params={"cursor": text})
            allowed = (414,) if len(path) + len(text) > 17_000 else (200, 400)
            assert answer.status_code in allowed, (path, text[:80], answer.text)
            if answer.status_code == 400:
                assert answer.json()["error"]["details"][0]["path"] == "cursor"


@pytest.mark.parametrize("place", [None, {}, [], "x" * 10, 5, ["9999-12-31T23:59:59-23:59", "x"]])
def test_the_feed_refuses_what_it_never_gave(account: Account, place: Any) -> None:
    text = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
    assert account.client.get("/v1/events", params={"cursor": text}).status_code == 400
