"""One form of a path is judged and routed; what is not a public path needs a key, whether it exists or not."""

import socket
from typing import Any

import pytest
from harness import Account, Server, early_in_a_minute
from refusals import HEADERS

OTHER_FORMS = [
    b"//v1/usage",
    b"/%2Fv1/usage",
    b"/%2fv1%2fusage",
    b"/v1%2Fusage",
    b"/v1//usage",
    b"/v1/usage/",
    b"/v1/usage//",
    b"/v1/./usage",
    b"/v1/../v1/usage",
    b"/v1/%2e%2e/v1/usage",
    b"/docs/../v1/usage",
    b"/V1/usage",
    b"/v1/Usage",
    b"/v1/us%61ge",
    b"/health%7A",
    b"/v1/usage%00",
    b"/v1/usage%0a",
    b"/v1/usage%20",
    b"/v1/usage;x",
    b"/v1/%ff",
    b"/v1/lists/%ed%a0%80",
    b"/v1/lists/%zz",
    "/v1/lists/é".encode(),
    b"/v1\\usage",
    b"/" + b"a" * 16_000,
    b"/v1",
    b"/v1/",
    b"/v1/nothing",
    b"/nothing",
    b"/healthz/",
    b"//healthz",
    b"/docs%2F",
    b"*",
]


def call(
    server: Server, target: bytes, token: str | None = None, method: bytes = b"GET", headers: bytes = b""
) -> tuple[int, bytes, bytes]:
    """(status, head, body) of a request whose target goes out as it is."""
    authorization = f"Authorization: Bearer {token}\r\n".encode() if token else b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        connection.sendall(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n")
        connection.sendall(authorization + headers + b"Content-Length: 0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head, body


@pytest.fixture(scope="module")
def account(server: Server) -> Account:
    return server.account()


@pytest.mark.parametrize("method", [b"GET", b"POST", b"OPTIONS", b"get"])
@pytest.mark.parametrize("target", OTHER_FORMS, ids=lambda target: str(target[:30]))
def test_another_form_needs_a_key_and_is_not_found(
    server: Server, account: Account, target: bytes, method: bytes
) -> None:
    for token, status, type in ((None, 401, b'"invalid_auth"'), (account.token, 404, b'"not_found"')):
        answered, head, body = call(server, target, token, method)
        assert (answered, type in body) == (status, True), (target, token is None, body)
        assert all(header.encode() in head.lower() for header in HEADERS)
    assert '"crash"' not in server.log.read_text()


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        (b"/v1/" + b"a" * 17_000, b"", 414),
        (b"/v1/events?cursor=" + b"a" * 60_000, b"", 414),
        (b"/dashboard/search?title=" + b"a" * 17_000, b"", 414),
        (b"/healthz", b"X-Long: " + b"a" * 33_000 + b"\r\n", 431),
        (b"/v1/usage", b"X-Long: " + b"a" * 400_000 + b"\r\n", 431),
        (b"/v1/usage", b"X-Many: a\r\n" * 90, 431),
    ],
    ids=["path", "query", "page", "header", "long header", "many headers"],
)
def test_what_is_too_long_is_told_as_any_refusal(
    server: Server, account: Account, target: bytes, headers: bytes, status: int
) -> None:
    for token in (None, account.token):
        answered, head, body = call(server, target, token, headers=headers)
        assert answered == status and b'"validation_error"' in body
        assert all(header.encode() in head.lower() for header in HEADERS)
    assert account.client.get("/v1/usage", headers={"x-long": "a" * 30_000}).status_code == 200


def test_what_is_too_long_counts_against_the_address(new_server: Any) -> None:
    server = new_server(ADDTOCRM_RATE_PER_MINUTE="2")
    early_in_a_minute()
    assert [call(server, b"/" + b"a" * 20_000)[0] for _ in range(3)] == [414, 414, 429]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/docs", "/metrics"])
def test_public_paths_need_no_key(server: Server, path: str) -> None:
    assert server.client().get(path).status_code == 200
    assert server.client().post(path).status_code == 405


def test_the_root_leads_to_the_documentation(server: Server) -> None:
    answer = server.client().get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/dashboard")


def test_a_key_that_is_off_or_spent_is_told_so_before_the_path(new_server: Any) -> None:
    server = new_server(ADDTOCRM_RATE_PER_MINUTE="2")
    account = server.account()
    early_in_a_minute()
    assert [call(server, b"//v1/x", account.token)[0] for _ in range(3)] == [404, 404, 429]
