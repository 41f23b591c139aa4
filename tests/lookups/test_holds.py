"""A provider is asked once: no sweep takes a hold whose look-up is under way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from harness import Account, Server, until

from addtocrm.core.caller import Caller
from addtocrm.core.db.notify import Listener
from addtocrm.core.db.pool import Pool, open_pool
from addtocrm.lookups import store
from addtocrm.lookups.hot import HotResults
from addtocrm.lookups.model import Answer, Operation, Outcome
from addtocrm.lookups.service import Lookups
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.usage.service import Saved

ENRICH = Operation("people.enrich", "person.enriched")


class Slow:
    """Work that goes on until it is let go; `calls` counts how often it was asked for."""

    def __init__(self) -> None:
        self.calls = 0
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self) -> Outcome:
        self.calls += 1
        self.begun.set()
        await self.go_on.wait()
        return Outcome(b'{"full_name": "Slow"}', {})


@asynccontextmanager
async def process(url: str) -> AsyncIterator[tuple[Pool, int, Caller]]:
    """A living process: its pool and instance, and an account."""
    pool = await open_pool(url, size=4)
    account = await accounts.create(pool, "holds@example.com", credits=10)
    async with listener(url) as instance:
        yield pool, instance, Caller(account.id, "operator", "request")
    await pool.close()


@asynccontextmanager
async def listener(url: str) -> AsyncIterator[int]:
    """The instance of a living process."""
    living = Listener(url, lambda kind, subject: None, lambda: None)
    await living.start()
    try:
        yield living.instance
    finally:
        await living.stop()


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    async def body() -> Any:
        async with asyncio.timeout(60):
            return await work()

    return asyncio.run(body())


def test_a_hold_placed_while_the_sweep_waits_for_its_connection(database_url: str) -> None:
    async def work() -> None:
        acquired = 0
        connected = asyncio.Event()

        async def keep_the_first_waiting(_: Any) -> None:
            nonlocal acquired
            acquired += 1
            if acquired == 1:
                await connected.wait()

        async with process(database_url) as (pool, instance, caller):
            slow_pool = await asyncpg.create_pool(database_url, setup=keep_the_first_waiting)
            lookups = Lookups(slow_pool, instance, 30, HotResults(), {}, Saved(slow_pool))
            sweep = asyncio.create_task(lookups.sweep())
            while not acquired:
                await asyncio.sleep(0)
            slow = Slow()
            look_up = asyncio.create_task(lookups.run(caller, ENRICH, "k", slow))
            await slow.begun.wait()
            connected.set()
            await sweep
            assert len(await pool.fetch("select from holds")) == 1
            slow.go_on.set()
            assert await look_up == Answer(b'{"full_name": "Slow"}', False, 1, 9)
            assert slow.calls == 1
            await slow_pool.close()

    run(work)


def test_what_was_found_is_kept_also_where_its_hold_was_lost(database_url: str) -> None:
    """As where the process could not be seen to live for a moment: somebody released its hold."""

    async def work() -> None:
        async with process(database_url) as (pool, instance, caller):
            lookups = Lookups(pool, instance, 30, HotResults(), {}, Saved(pool))
            slow = Slow()
            look_up = asyncio.create_task(lookups.run(caller, ENRICH, "k", slow))
            await slow.begun.wait()
            await pool.execute("select credits_release(id) from holds")
            slow.go_on.set()
            assert await look_up == Answer(b'{"full_name": "Slow"}', False, 1, 9)
            assert slow.calls == 1
            assert await pool.fetchval("select count(*) from ledger where kind = 'charge'") == 1
            assert not await pool.fetch("select from holds")

    run(work)


def test_a_hold_that_nobody_settles_is_released(database_url: str) -> None:
    """Its own process's, which does not know it, and that of a process which looks dead for some seconds."""

    async def work() -> None:
        async with process(database_url) as (pool, instance, caller):
            lookups = Lookups(pool, instance, 30, HotResults(), {}, Saved(pool))
            slow = Slow()
            look_up = asyncio.create_task(lookups.run(caller, ENRICH, "k", slow))
            await slow.begun.wait()
            for id, instance in (("hld_own", None), ("hld_dead", 12345)):
                await pool.execute(
                    """insert into holds select $1, account_id, operation, $1, request_id, key_id,
                              coalesce($2, instance), period_start from holds limit 1""",
                    id,
                    instance,
                )
            await pool.execute("update accounts set available = available - 2")
            await lookups.sweep()
            slow.go_on.set()
            assert await look_up == Answer(b'{"full_name": "Slow"}', False, 1, 8)
            assert [row["id"] for row in await pool.fetch("select id from holds")] == ["hld_dead"]
            await pool.execute("update lost_instances set since = now() - interval '1 minute'")
            await lookups.sweep()
            assert not await pool.fetch("select from holds")

    run(work)


def test_one_call_of_the_provider_for_each_of_many_at_once(new_server: Any) -> None:
    server: Server = new_server()
    slugs = [f"many-{number}-example" for number in range(1000)]
    server.add_people(*slugs)
    account = server.account(credits=10_000)

    async def ask() -> set[int]:
        async with server.async_client(account.token, 500) as client:
            answers = await asyncio.gather(
                *(
                    client.post("/v1/people/enrich", json={"linkedin_url": f"https://www.linkedin.com/in/{slug}"})
                    for slug in slugs
                )
            )
        return {answer.status_code for answer in answers}

    assert asyncio.run(ask()) == {200}
    until(lambda: provider_calls(account) >= len(slugs))
    assert provider_calls(account) == len(slugs)
    assert "holds_released" not in server.log.read_text()


def provider_calls(account: Account) -> float:
    lines = account.server.client().get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("addtocrm_provider_calls_total"))


def test_a_refresh_that_waits_for_another_ones_asks_where_that_found_nothing(database_url: str) -> None:
    async def work() -> None:
        async with process(database_url) as (pool, first, caller), listener(database_url) as second:
            one, other = (Lookups(pool, number, 30, HotResults(), {}, Saved(pool)) for number in (first, second))
            slow, fresh = Slow(), Slow()
            slow.go_on.set()
            await one.run(caller, ENRICH, "key", slow)
            await pool.execute("update results set created_at = created_at - interval '1 hour'")
            slow.begun, slow.go_on = asyncio.Event(), asyncio.Event()

            async def finds_nothing() -> None:
                await slow()

            waiting = asyncio.create_task(one.run(caller, ENRICH, "key", finds_nothing, refresh=True))
            await slow.begun.wait()
            fresh.go_on.set()
            behind = asyncio.create_task(other.run(caller, ENRICH, "key", fresh, refresh=True))
            await asyncio.sleep(0.1)
            slow.go_on.set()
            assert await waiting is None
            answer = await behind
            assert answer and (answer.cached, fresh.calls) == (False, 1)

    run(work)


def test_a_sweep_leaves_a_hold_that_is_settled_just_now(database_url: str) -> None:
    """The process of both looks dead, and settles one of them."""

    async def work() -> None:
        async with process(database_url) as (pool, instance, caller):
            dead = 77
            await pool.execute("insert into lost_instances values ($1, now() - interval '1 minute')", dead)
            await pool.execute(
                """insert into holds (id, account_id, operation, lookup_key, request_id, instance, period_start)
                   select hold, id, 'o', hold, 'r', $2, period_start
                   from accounts, unnest(array['hld_1', 'hld_2']) as hold where id = $1""",
                caller.account_id,
                dead,
            )
            async with pool.acquire() as one, one.transaction():
                await one.execute("delete from holds where id = 'hld_2'")
                assert await store.release_lost(pool, instance, []) == 1
                await one.execute("select from accounts where id = $1 for no key update", caller.account_id)

    run(work)
