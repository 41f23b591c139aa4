"""/metrics: for the operator only, and nobody's ids in it."""

from collections.abc import Iterator
from typing import Any

import pytest
from harness import Server, early_in_a_minute, stopped


def labels(text: str) -> set[str]:
    """The values of the label `path`."""
    return {part.split('"')[1] for line in text.splitlines() for part in line.split(",") if 'path="' in part}


def test_labels_are_the_paths_of_routes(new_server: Any) -> None:
    server: Server = new_server()
    account = server.account()
    made = account.client.post("/v1/lists", json={"name": "A"}).json()["data"]["id"]
    people = {"people": [{"full_name": "Ann Example"}]}
    for _ in range(2):
        answer = account.client.post(f"/v1/lists/{made}/members", json=people, headers={"idempotency-key": "k"})
        assert answer.is_success
    account.client.get(f"/v1/lists/{made}")
    account.client.get("/v1/lists/lst_missing")
    account.client.get(f"/v1/{made}")
    account.client.get(f"/{made}")
    server.client().get(f"/v1/lists/{made}")
    text = server.client().get("/metrics").text
    assert labels(text) - {"/readyz"} == {"/v1/lists", "/v1/lists/{id}", "/v1/lists/{id}/members", "unknown"}
    assert made not in text


@pytest.fixture(scope="module")
def behind_a_proxy(new_database: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("behind")
    with stopped(Server(new_database(), folder, ADDTOCRM_TRUSTED_PROXIES="127.0.0.1").start()) as server:
        yield server


@pytest.mark.parametrize(
    ("forwarded", "trusted", "status"),
    [
        ("", False, 200),
        ("203.0.113.9", False, 401),
        ("127.0.0.1", False, 401),
        ("203.0.113.9", True, 401),
        ("127.0.0.1, 203.0.113.9", True, 401),
        ("nonsense", True, 401),
        ("127.0.0.1", True, 200),
        ("::ffff:127.0.0.1", True, 200),
    ],
)
def test_without_a_token_only_from_the_machine(
    server: Server, behind_a_proxy: Server, forwarded: str, trusted: bool, status: int
) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    answer = (behind_a_proxy if trusted else server).client().get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("addtocrm_requests" in answer.text) == (status == 200)


def test_with_a_token_only_with_it(new_server: Any) -> None:
    server: Server = new_server(ADDTOCRM_METRICS_TOKEN="only-mine", ADDTOCRM_RATE_PER_MINUTE="5")
    account = server.account()

    def status(authorization: str | None) -> int:
        headers = {"authorization": authorization.encode()} if authorization else {}
        return server.client().get("/metrics", headers=headers).status_code

    early_in_a_minute()
    assert status("Bearer only-mine") == 200
    assert [status(wrong) for wrong in (None, "Bearer wrong", "Bearer only-mine2", f"Bearer {account.token}")] == [
        401
    ] * 4
    assert [status("Bearer wrong") for _ in range(2)] == [401, 429]
    assert status("Bearer only-mine") == 200
    assert "only-mine" not in server.log.read_text()
