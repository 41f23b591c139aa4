"""The limits on how servers are asked, in one process and across processes."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import asyncpg
import pytest
from world import Asker, World, in_world

from addtocrm.core.settings import Settings
from addtocrm.mail.politeness import HostResting, LocalSlots, Slots
from addtocrm.mail.postgres_slots import PostgresSlots


async def crowd(slots: list[Slots], hosts: list[str], each: int) -> tuple[int, int]:
    """The most connections open at once to one host, and in all, while `each` want every host."""
    now: dict[str, int] = dict.fromkeys(hosts, 0)
    most = [0, 0]

    async def one(where: Slots, host: str) -> None:
        async with where.connection(host):
            now[host] += 1
            most[0], most[1] = max(most[0], now[host]), max(most[1], sum(now.values()))
            await asyncio.sleep(0.01)
            now[host] -= 1

    await asyncio.gather(*(one(where, host) for where in slots for host in hosts for _ in range(each)))
    return most[0], most[1]


async def all_at_once(slots: Slots, *hosts: str) -> None:
    """So many connections can be open at the same time."""
    async with asyncio.timeout(90), contextlib.AsyncExitStack() as open_ones:
        for host in hosts:
            await open_ones.enter_async_context(slots.connection(host))


def test_a_host_and_the_whole_are_bounded() -> None:
    slots = LocalSlots(per_host=2, total=5, pause=0)
    host, total = asyncio.run(crowd([slots], [f"h{n}" for n in range(10)], 6))
    assert host <= 2 and total <= 5
    asyncio.run(all_at_once(slots, "a", "a", "b", "b", "c"))


def test_starts_to_one_host_are_apart() -> None:
    async def body() -> list[float]:
        slots = LocalSlots(pause=0.05)
        starts: list[float] = []

        async def one() -> None:
            async with slots.connection("h"):
                starts.append(asyncio.get_running_loop().time())

        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(one() for _ in range(4)))
        return [start - began for start in starts]

    starts = asyncio.run(body())
    assert all(start >= place * 0.05 - 0.001 for place, start in enumerate(starts))


def test_giving_up_waiting_gives_the_place_back() -> None:
    async def body() -> None:
        slots = LocalSlots(per_host=1, total=1, pause=0)
        async with slots.connection("h"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02), slots.connection("h"):
                    pass
        async with asyncio.timeout(90), slots.connection("h"):
            pass

    asyncio.run(body())


def with_two_processes(test: Callable[[PostgresSlots, PostgresSlots], Awaitable[None]], url: str) -> None:
    async def body() -> None:
        one, other = (PostgresSlots(url, per_host=2, total=3, pause=0) for _ in range(2))
        try:
            await test(one, other)
        finally:
            await one.close()
            await other.close()

    asyncio.run(body())


def test_the_limits_hold_across_processes(database_url: str) -> None:
    async def test(one: PostgresSlots, other: PostgresSlots) -> None:
        host, total = await crowd([one, other], ["a", "b", "c"], 4)
        assert host <= 2 and total <= 3
        async with one.connection("a"), other.connection("a"):
            pass

    with_two_processes(test, database_url)


def test_a_block_is_told_to_the_others(database_url: str) -> None:
    async def test(one: PostgresSlots, other: PostgresSlots) -> None:
        async with other.connection("h"):
            pass
        await one.rest("h", 6000)
        async with asyncio.timeout(90):
            with pytest.raises(HostResting) as resting:
                while True:
                    async with other.connection("h"):
                        await asyncio.sleep(0.01)
        assert 3000 < resting.value.seconds <= 6000

    with_two_processes(test, database_url)


def test_a_lost_database_connection_stops_nobody(database_url: str) -> None:
    async def test(one: PostgresSlots, other: PostgresSlots) -> None:
        async with one.connection("h"), other.connection("x"):
            admin = await asyncpg.connect(database_url)
            await admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and pid <> pg_backend_pid()"
            )
            await admin.close()
        async with asyncio.timeout(90), one.connection("h"), other.connection("h"):
            pass

    with_two_processes(test, database_url)


@in_world
async def test_two_workers_together_keep_to_two_connections(world: World, database_url: str) -> None:
    domains = [f"d{n}.test" for n in range(8)]
    server = await world.server(*domains, catch_all=True, delay=0.02)
    settings = Settings(dns_servers=(world.dns_address,), smtp_port=world.port, allow_private_networks=True)
    workers = [PostgresSlots(database_url, pause=0) for _ in range(2)]
    engines = [Asker(settings, slots) for slots in workers]
    results = await asyncio.gather(
        *(engines[n % 2].verify(f"jane@{domain}", budget_seconds=200) for n, domain in enumerate(domains))
    )
    assert {one.reason for one in results} == {"catch_all"} and server.most_open <= 2
    for slots in workers:
        await slots.close()
