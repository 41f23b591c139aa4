"""What every request meets: authentication, plan, scope, body, and the headers and envelope of every answer."""

import re
import socket
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from harness import Account, Server, early_in_a_minute, until
from refusals import HEADERS, refused

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@pytest.mark.parametrize("path", ["/v1/usage", "/v1/events", "/v1/nothing", "/healthz", "/docs", "/openapi.json"])
def test_head_is_get_without_the_body(account: Account, path: str) -> None:
    got, head = account.client.get(path), account.client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers.keys() == got.headers.keys()
    assert head.headers["content-length"] == str(len(got.content)) or "content-encoding" in got.headers
    assert account.client.get("/v1/usage").status_code == 200, "the connection goes on"


def test_headers_are_on_every_answer(server: Server, account: Account) -> None:
    big = b'{"linkedin_url": "' + b"x" * 5_000_000 + b'"}'
    json = {"content-type": "application/json"}
    answers = [
        account.client.get("/v1/usage"),
        account.client.get("/v1/nothing"),
        account.client.get("/v1/people/enrich"),
        account.client.delete("/v1/usage"),
        account.client.post("/v1/people/enrich", content=big, headers=json),
        account.client.post("/v1/people/enrich", content=b"x", headers={"content-type": "text/plain"}),
        account.client.post("/v1/people/enrich", content=b"x", headers=json),
        account.client.get("/v1"),
        server.client().get("/v1/usage"),
        server.client().get("/nowhere"),
        server.client().get("/healthz"),
    ]
    assert [answer.status_code for answer in answers] == [
        200,
        404,
        405,
        405,
        413,
        415,
        400,
        404,
        401,
        401,
        200,
    ]
    ids = set()
    for answer in answers:
        for header in HEADERS:
            assert header in answer.headers, (answer.request.url, header)
        assert UUID.fullmatch(answer.headers["x-request-id"])
        ids.add(answer.headers["x-request-id"])
        if answer.status_code != 200:
            assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]
    assert len(ids) == len(answers)


def test_a_callers_request_id_is_not_taken(account: Account) -> None:
    response = account.client.get("/v1/usage", headers={"x-request-id": "mine"})
    assert UUID.fullmatch(response.headers["x-request-id"])


def test_a_huge_body_is_413_however_it_is_sent(account: Account) -> None:
    def stream() -> Any:
        for _ in range(100):
            yield b"x" * 100_000

    headers = {"content-type": "application/json"}
    for content in (b"x" * 10_000_000, stream()):
        response = account.client.post("/v1/people/enrich", content=content, headers=headers)
        refused(response, 413, "validation_error")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b"", ""),
        (b"null", ""),
        (b"[]", ""),
        (b"{", ""),
        (b'{"linkedin_url": 5}', "linkedin_url"),
        (b'{"linkedin_url": ["a"]}', "linkedin_url"),
        (b'{"linkedin_url": "x", "surprise": 1}', "surprise"),
        (b'{"linkedin_url": "https://www.linkedin.com/in/a\\u0000b"}', "linkedin_url"),
        (b'{"linkedin_url": "https://www.linkedin.com/in/\\ud800"}', ""),
        (b'{"linkedin_url": "https://www.linkedin.com/in/\\ud800x"}', ""),
        (b'{"linkedin_url": "\xff\xfe"}', ""),
        (b'{"linkedin_url": "\xed\xa0\x80"}', ""),
        (b'{"linkedin_url": "https://www.linkedin.com/company/acme"}', "linkedin_url"),
        (b'{"email": "nobody"}', "email"),
        (b'{"first_name": "Jane"}', "linkedin_url"),
        (b'{"email": "a@example.com", "min_confidence": 2}', "min_confidence"),
        (b'{"email": "a@example.com", "min_confidence": "1"}', "min_confidence"),
        (b'{"email": "a@example.com", "refresh": "yes"}', "refresh"),
        (b'{"email": "a@example.com", "required": ["nonsense"]}', "required"),
        (b'{"email": "a@example.com", "required": [1]}', "required[0]"),
        (b"[" * 100_000, ""),
        (b'{"email":' * 50_000, "email"),
        (b'{"min_confidence": 1e999}', "min_confidence"),
    ],
)
def test_bad_bodies_name_the_field(account: Account, body: bytes, path: str) -> None:
    response = account.client.post("/v1/people/enrich", content=body, headers={"content-type": "application/json"})
    error = refused(response, 400, "validation_error")
    assert [detail["path"] for detail in error["details"]] == [path]
    assert "Traceback" not in response.text
    assert "msgspec" not in response.text


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "nonsense=1",
        "since=yesterday",
        "cursor=%00",
        "cursor=bm9uc2Vuc2U",
        "type=nonsense",
        "since=2026-01-01&cursor=x",
        "limit=%ff",
        "cursor=WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsICJcdTAwMDAiXQ",
    ],
)
def test_bad_queries_name_the_parameter(account: Account, query: str) -> None:
    error = refused(account.client.get(f"/v1/events?{query}"), 400, "validation_error")
    assert error["details"][0]["path"] in query


def test_limits_count_down_and_refuse(new_server: Any) -> None:
    server = new_server(ADDTOCRM_RATE_PER_MINUTE="5", ADDTOCRM_RATE_PER_HOUR="8")
    account = server.account()
    early_in_a_minute()
    remaining = []
    for _ in range(5):
        answer = account.client.get("/v1/nothing")
        remaining.append(int(answer.headers["x-ratelimit-remaining-minute"]))
    assert remaining == [4, 3, 2, 1, 0]
    error = refused(response := account.client.get("/v1/usage"), 429, "rate_limit_minute")
    assert response.headers["retry-after"] == str(error["retry_after_seconds"])
    assert 1 <= error["retry_after_seconds"] <= 60
    assert int(response.headers["x-ratelimit-reset-minute"]) % 60 == 0
    assert int(response.headers["x-ratelimit-reset-hour"]) % 3600 == 0
    assert response.headers["x-ratelimit-remaining-hour"] == "3"

    own = server.client(account.key(["read"], rate_per_minute=2, rate_per_hour=2))
    assert [own.get("/v1/usage").status_code for _ in range(3)] == [200, 200, 429]
    refused(own.get("/v1/usage"), 429, "rate_limit_hour")


def cut_off(server: Server, token: str, method: str, path: str, body: bytes, *, answered: bool) -> bytes:
    """Sends a request whose body breaks off; gives the answer, where one is waited for."""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        connection.sendall(head.encode() + body)
        if not answered:
            return b""
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/people/enrich"), ("PATCH", "/v1/lists/lst_x")])
def test_a_body_that_breaks_off_is_no_crash(new_server: Any, method: str, path: str) -> None:
    server: Server = new_server()
    account = server.account()
    bad_chunk = b'Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"ema\r\nzz\r\n'
    answer = cut_off(server, account.token, method, path, bad_chunk, answered=True)
    assert answer.startswith(b"HTTP/1.1 400") and b'"validation_error"' in answer and b"x-ratelimit" in answer
    cut_off(server, account.token, method, path, b'Content-Length: 100\r\n\r\n{"ema', answered=False)
    lines = until(
        lambda: (
            len(found := [line for line in server.log.read_text().splitlines() if '"aborted"' in line]) == 2 and found
        )
    )
    assert all('"result":"aborted"' in line and '"status":400' in line for line in lines)
    assert "crash" not in server.log.read_text()
    assert 'result="aborted"' in server.client().get("/metrics").text


def test_half_a_body_keeps_neither_its_connection_nor_the_end_of_the_server(new_server: Any) -> None:
    server: Server = new_server(ADDTOCRM_RATE_PER_HOUR="4")
    hour = time.time() // 3600
    account = server.account()
    assert account.client.get("/v1/usage").status_code == 200
    head = f"POST /v1/lists HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {account.token}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        connection.sendall(head.encode() + b'{"na')
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")
        assert not list(iter(lambda: connection.recv(65536), b""))
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=100) as connection,
        socket.create_connection(("127.0.0.1", server.port), timeout=100) as visitor,
    ):
        connection.sendall(head.encode() + b'{"na')
        form = "POST /dashboard/sign-in HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        visitor.sendall(form.encode() + b"Content-Length: 100\r\n\r\nemail=")
        until(lambda: account.client.get("/healthz").status_code == 200)
        assert server.stop() == 0
    server.start()
    statuses = [server.client(account.token).get("/v1/usage").status_code for _ in range(3)]
    assert statuses == [200, 429, 429] or time.time() // 3600 > hour


@pytest.mark.parametrize("key", ["x" * 256, "a\tb"])
def test_the_scope_is_judged_before_the_idempotency_key(account: Account, key: str) -> None:
    reader = account.server.client(account.key(["read"]))
    reader.headers["idempotency-key"] = key
    refused(reader.post("/v1/lists", json={"name": "A"}), 403, "scope_required")
    refused(reader.post("/v1/nothing", json={"name": "A"}), 404, "not_found")
    lister = account.server.client(account.key(["lists", "read"]))
    assert lister.post("/v1/lists", json={"name": "A"}, headers={"idempotency-key": "used"}).status_code == 201
    other = lister.post("/v1/people/enrich", json={"email": "a@example.com"}, headers={"idempotency-key": "used"})
    refused(other, 403, "scope_required")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("APPLICATION/JSON", 200),
        ("application/json; charset=utf-8", 200),
        ("application/json ;x", 200),
        ("application/jsonx", 415),
        ("application/json-patch+json", 415),
        ("text/plain", 415),
        ("", 415),
    ],
)
def test_the_content_type_is_judged_alike_fresh_cached_and_replayed(
    server: Server, account: Account, content_type: str, status: int
) -> None:
    body = b'{"linkedin_url": "https://www.linkedin.com/in/gate-example"}'
    json = {"content-type": "application/json"}
    assert account.client.post("/v1/people/enrich", content=body, headers=json).status_code == 200
    assert account.client.post("/v1/people/enrich", content=body, headers=json).json()["cached"] is True
    key = {"idempotency-key": "content-type"}
    assert account.client.post("/v1/people/enrich", content=body, headers={**json, **key}).status_code == 200
    fresh = b'{"linkedin_url": "https://www.linkedin.com/in/gate-example", "refresh": true}'
    tried = {"content-type": content_type}
    for content, headers in ((body, tried), (fresh, tried), (body, {**tried, **key})):
        assert account.client.post("/v1/people/enrich", content=content, headers=headers).status_code == status


@pytest.mark.parametrize(
    "since",
    [
        "2026-01-31t09:00:00z",
        "2026-01-31T09:00:00.123456z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T24:00",
        "2026-01-31 09:00",
        "2026-01-31 09:00:00",
        "2026-01-31T09:00:00 01:00",
        "2026-01-31T09:00:00%2B01:00",
        "2026-01-31T09:00:00-0800",
        "2026-01-31",
        "20260131T090000Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
    ],
)
def test_since_is_iso_8601_and_rfc_3339(account: Account, since: str) -> None:
    assert account.client.get(f"/v1/events?since={since}").status_code == 200


@pytest.mark.parametrize(
    "since",
    ["2026-01-31T24:00:01Z", "2026-01-31T25:00Z", "9999-12-31T24:00Z", "0001-01-01T00:00%2B14:00", "9" * 5000, "now"],
)
def test_what_is_no_time_is_refused(account: Account, since: str) -> None:
    refused(account.client.get(f"/v1/events?since={since}"), 400, "validation_error")


def test_the_end_of_a_day_is_the_next_days_beginning(server: Server) -> None:
    account = server.account()
    day = datetime.now(UTC)
    before, after = (f"{(day + timedelta(days=days)).date()}T24:00:00Z" for days in (-2, 1))
    assert len(account.client.get(f"/v1/events?since={before}").json()["data"]) == 1
    assert account.client.get(f"/v1/events?since={after}").json()["data"] == []


@pytest.mark.parametrize("text", ["nobody", "a@b@c", "", "@", "x" * 500])
def test_what_is_no_address_is_free_also_without_credits(server: Server, text: str) -> None:
    account = server.account(credits=0)
    answer = account.client.post("/v1/emails/verify", json={"email": text})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["data"]["result"], body["data"]["reason"]) == ("undeliverable", "invalid_syntax")
    assert (body["cached"], body["credits_deducted"], body["credits_remaining"]) == (False, 0, 0)
    refused(account.client.post("/v1/emails/verify", json={"email": "a@example.com"}), 402, "insufficient_credits")


def test_a_connection_that_sends_garbage_does_not_hurt(server: Server, account: Account) -> None:
    for garbage in (
        b"\x00\xff\xfe\r\n\r\n",
        b"POST /v1/people/enrich HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc",
    ):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(garbage)
    assert account.client.get("/v1/usage").status_code == 200


def test_every_log_line_of_a_request_has_its_id_and_no_secret(server: Server, account: Account) -> None:
    request_id = account.client.get("/v1/usage").headers["x-request-id"]
    lines = until(lambda: [line for line in server.log.read_text().splitlines() if request_id in line])
    assert any('"event":"request"' in line for line in lines)
    assert account.token not in server.log.read_text()
    assert account.token[len("addtocrm_live_") :] not in server.log.read_text()
