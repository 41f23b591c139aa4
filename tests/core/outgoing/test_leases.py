"""Leases: one holder at a time across processes, no connection held, taken over from the dead."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from addtocrm.core.db.notify import Listener
from addtocrm.core.db.pool import Pool, open_pool
from addtocrm.core.outgoing import leases as module
from addtocrm.core.outgoing.leases import Busy, Leases, Lost


class Process:
    """What a process has of leases: its instance number, its notices and its pool."""

    def __init__(self, pool: Pool, listener: Listener, leases: Leases) -> None:
        self.pool, self.listener, self.leases = pool, listener, leases


@asynccontextmanager
async def process(url: str, size: int = 2) -> AsyncIterator[Process]:
    pool = await open_pool(url, size=size)
    made: list[Leases] = []

    def hear(kind: str, subject: str) -> None:
        if kind == "lease":
            made[0].freed(subject)

    listener = Listener(url, hear, lambda: None)
    made.append(Leases(pool, listener.instance))
    await listener.start()
    try:
        yield Process(pool, listener, made[0])
    finally:
        await listener.stop()
        await pool.close()


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())


def test_one_at_a_time_also_of_many_processes(database_url: str) -> None:
    async def test() -> None:
        async with process(database_url) as one, process(database_url) as two:
            holders = most = done = 0

            async def work(leases: Leases) -> None:
                nonlocal holders, most, done
                async with leases.hold("contact 7", 60):
                    holders += 1
                    most = max(most, holders)
                    await asyncio.sleep(0.002)
                    holders -= 1
                    done += 1

            await asyncio.gather(*(work(p.leases) for _ in range(10) for p in (one, two)))
            assert (most, done) == (1, 20)
            assert await one.pool.fetchval("select count(*) from leases") == 0

    run(test)


def test_five_hundred_waiters_hold_no_connection(database_url: str) -> None:
    async def test() -> None:
        async with process(database_url, size=1) as one, process(database_url) as other:
            done = 0

            async def work() -> None:
                nonlocal done
                async with one.leases.hold("contact 7", 60):
                    done += 1

            async with other.leases.hold("contact 7", 60):
                waiters = [asyncio.create_task(work()) for _ in range(500)]
                # The pool of the waiters has one connection: who else needs it gets it.
                for _ in range(20):
                    assert await one.pool.fetchval("select 1", timeout=60) == 1
                assert done == 0
            await asyncio.gather(*waiters)
            assert done == 500

    run(test)


def test_several_in_different_orders_never_deadlock(database_url: str) -> None:
    async def test() -> None:
        names = [f"contact {number}" for number in range(5)]
        async with process(database_url) as one, process(database_url) as two:
            held: set[str] = set()
            done = 0

            async def work(leases: Leases, wanted: list[str]) -> None:
                nonlocal done
                async with leases.hold(wanted, 60) as leased:
                    leased.check()
                    assert not held.intersection(wanted)
                    held.update(wanted)
                    await asyncio.sleep(0.002)
                    held.difference_update(wanted)
                    done += 1

            turns = [names[shift:] + names[:shift] for shift in range(5)]
            wanted = [*turns, *(turn[::-1] for turn in turns), *([name, name] for name in names)]
            await asyncio.gather(*(work(p.leases, some) for some in wanted for p in (one, two)))
            assert done == 30
            assert await one.pool.fetchval("select count(*) from leases") == 0

    run(test)


def test_one_of_several_that_is_held_is_waited_for(database_url: str) -> None:
    async def test() -> None:
        async with process(database_url) as one, process(database_url) as two:
            for other in (one, two):
                entered = asyncio.Event()

                async def work(entered: asyncio.Event = entered) -> None:
                    async with one.leases.hold(["c", "a", "b"], 60):
                        entered.set()

                async with other.leases.hold("b", 60):
                    waiter = asyncio.create_task(work())
                    await asyncio.sleep(0.3)
                    assert not entered.is_set()
                    with pytest.raises(Busy):
                        async with two.leases.hold(["b", "d"], 0.1):
                            pass
                    async with two.leases.hold("d", 60):
                        pass
                await waiter
                assert entered.is_set()
            assert await one.pool.fetchval("select count(*) from leases") == 0

    run(test)


def test_several_that_one_lost_are_all_known_to_be_lost(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROLONG_SECONDS", 0.05)

    async def test() -> None:
        async with process(database_url) as one, one.leases.hold(["a", "b"], 60) as leased:
            leased.check()
            await one.pool.execute("delete from leases where name = 'b'")
            with pytest.raises(Lost):
                while True:
                    leased.check()
                    await asyncio.sleep(0.05)

    run(test)


def test_who_waits_too_long_is_told(database_url: str) -> None:
    async def test() -> None:
        async with process(database_url) as one, process(database_url) as two:
            async with one.leases.hold("a", 60):
                for leases in (one.leases, two.leases):
                    with pytest.raises(Busy):
                        async with leases.hold("a", 0.1):
                            pass
                async with two.leases.hold("b", 60):
                    pass
            async with two.leases.hold("a", 60):
                pass

    run(test)


def test_a_lease_is_prolonged_while_the_work_lasts(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROLONG_SECONDS", 0.1)

    async def test() -> None:
        async with process(database_url) as one, one.leases.hold("a", 60) as lease:
            first = await one.pool.fetchval("select ends_at from leases")
            while await one.pool.fetchval("select ends_at from leases") == first:
                await asyncio.sleep(0.05)
            lease.check()

    run(test)


def test_a_lease_that_nobody_prolongs_is_taken_over(database_url: str) -> None:
    async def test() -> None:
        async with process(database_url) as two:
            async with process(database_url) as one:
                await one.pool.execute(
                    "insert into leases (name, owner, ends_at) values ('a', $1, now() + interval '1 hour')",
                    one.listener.instance,
                )
                with pytest.raises(Busy):
                    async with two.leases.hold("a", 0.1):
                        pass
                await one.pool.execute("update leases set ends_at = now() + interval '1 second'")
            async with two.leases.hold("a", 60):
                pass

    run(test)


def test_a_lease_that_could_not_be_prolonged_is_known_to_be_lost(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROLONG_SECONDS", 0.05)

    async def test() -> None:
        async with process(database_url) as one, process(database_url) as two, one.leases.hold("a", 60) as lease:
            await two.pool.execute("delete from leases")
            async with two.leases.hold("a", 60):
                with pytest.raises(Lost):
                    while True:
                        lease.check()
                        await asyncio.sleep(0.05)
                assert await two.pool.fetchval("select owner from leases") == two.listener.instance

    run(test)


def test_who_is_called_off_leaves_nothing_behind(database_url: str) -> None:
    async def test() -> None:
        async with process(database_url) as one, process(database_url) as two:

            async def work(leases: Leases) -> None:
                async with leases.hold("a", 60):
                    await asyncio.sleep(60)

            for turns in range(12):
                task = asyncio.create_task(work(one.leases))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            async with two.leases.hold("a", 60):
                pass

    run(test)


def test_a_lease_that_was_waited_for_long_is_a_whole_one(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts from the question that was answered with it, not from the first."""

    async def test() -> None:
        async with process(database_url) as one, process(database_url) as two:
            refused_at: list[float] = []

            @asynccontextmanager
            async def acquire() -> AsyncIterator[Any]:
                async with two.pool.acquire() as db:

                    async def ask(*arguments: Any) -> Any:
                        rows = await db.fetch(*arguments)
                        if rows[0]["fence"] is None:
                            refused_at.append(asyncio.get_running_loop().time())
                        return rows

                    yield SimpleNamespace(fetch=ask)

            monkeypatch.setattr(two.leases, "_pool", SimpleNamespace(acquire=acquire, execute=two.pool.execute))

            async def wait() -> None:
                async with two.leases.hold("a", 60) as leased:
                    assert leased[0].ends >= refused_at[-1] + module.TTL_SECONDS

            async with one.leases.hold("a", 60):
                waiter = asyncio.create_task(wait())
                while len(refused_at) < 2:
                    await asyncio.sleep(0.01)
            await waiter

    run(test)


def test_who_loses_the_listener_for_a_moment_keeps_the_lease(database_url: str) -> None:
    async def test() -> None:
        async with process(database_url) as one, process(database_url) as two, one.leases.hold("a", 60) as lease:
            await two.pool.execute(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = $1",
                one.listener.instance,
            )
            with pytest.raises(Busy):
                async with two.leases.hold("a", 0.5):
                    pass
            lease.check()

    run(test)
