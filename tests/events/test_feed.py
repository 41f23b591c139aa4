"""What the feed costs, and that it loses nothing."""

import asyncio
import random
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from harness import Account, Server, until

from addtocrm.events import service, store
from addtocrm.privacy import store as privacy

WRITE = """insert into events_outbox (id, account_id, type, actor, data)
           select 'evt_' || $2 || lpad(n::text, 6, '0'), $1, $3, 'operator', '{}' from generate_series(1, $4) n"""


def buffers(plan: list[asyncpg.Record]) -> int:
    """The pages that a statement touched, from explain (analyze, buffers)."""
    text = "\n".join(row[0] for row in plan)
    return sum(
        int(number) for number in re.findall(r"(?:hit|read)=(\d+)", text.partition("Planning")[0].split("\n")[1])
    )


async def cost(connection: asyncpg.Connection, statement: str) -> int:
    return buffers(await connection.fetch(f"explain (analyze, buffers, timing off) {statement}"))


@pytest.mark.parametrize("with_number", [False, True])
def test_publishing_costs_the_same_beside_an_old_snapshot(database_url: str, with_number: bool) -> None:
    """Whoever holds the snapshot has only read, or has a transaction number and so is waited for."""

    async def run() -> None:
        old = await asyncpg.connect(database_url)
        pool = await asyncpg.create_pool(database_url, min_size=1, max_size=2)
        await pool.execute("alter table events set (autovacuum_enabled = false)")
        await pool.execute("alter table events_outbox set (autovacuum_enabled = false)")
        await pool.execute(WRITE, "acc_a", "a", "list.created", 1)
        await store.publish(pool, anew=True)
        idle: list[int] = []
        busy: list[int] = []
        async with old.transaction(isolation="repeatable_read"), pool.acquire() as connection:
            await old.fetchval("select count(*) from events_outbox")
            if with_number:
                await old.execute("select pg_current_xact_id()")
            for number in range(100):
                await pool.execute(WRITE, "acc_a", f"{number:04}", "list.created", 100)
                if number in (30, 99):
                    busy.append(await cost(connection, "select events_publish(false)"))
                    idle.append(await cost(connection, "select events_publish(false)"))
                else:
                    assert await store.publish(pool) == 100
        assert await pool.fetchval("select count(*) from events") == 10_001
        assert idle[1] <= idle[0] + 10, idle
        assert busy[1] <= busy[0] * 1.3, busy
        await pool.close()
        await old.close()

    asyncio.run(run())


def test_a_restored_database_loses_nothing(database_url: str) -> None:
    """Its transactions have other numbers: what was seen there says nothing here."""

    async def run() -> None:
        pool = await asyncpg.create_pool(database_url, min_size=1, max_size=2)
        await pool.execute("update events_clock set seen = '900000000:900000000:'")
        await pool.execute(WRITE, "acc_a", "a", "list.created", 3)
        publishing = asyncio.create_task(service.keep_publishing(pool))
        async with asyncio.timeout(60):
            while await pool.fetchval("select count(*) from events") < 3:
                await asyncio.sleep(0.05)
            await pool.execute(WRITE, "acc_a", "b", "list.created", 3)
            while await pool.fetchval("select count(*) from events") < 6:
                await asyncio.sleep(0.05)
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await pool.close()

    asyncio.run(run())


def test_a_late_commit_is_published_once_whatever_came_between(database_url: str) -> None:
    async def run() -> None:
        pool = await asyncpg.create_pool(database_url, min_size=1, max_size=6)
        open_ones: list[tuple[Any, Any]] = []
        for number in range(4):
            connection = await pool.acquire()
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(WRITE, "acc_a", f"late{number}", "list.created", 2)
            async with connection.transaction():
                await connection.execute(WRITE, "acc_a", f"nested{number}", "list.created", 2)
            open_ones.append((connection, transaction))
        published = 0
        for number, (connection, transaction) in enumerate(reversed(open_ones)):
            await pool.execute(WRITE, "acc_a", f"between{number}", "list.created", 3)
            assert await store.publish(pool) == 3
            assert await store.publish(pool) == 0
            if number == 2:
                await transaction.rollback()
            else:
                await transaction.commit()
                published += 4
            await pool.release(connection)
            assert await store.publish(pool) == (0 if number == 2 else 4)
        assert await pool.fetchval("select count(*) from events") == published + 12
        assert await pool.fetchval("select count(*) from events_outbox") == 0
        await pool.close()

    asyncio.run(run())


@pytest.mark.parametrize("types", [[], ["list.created", "list.deleted"]])
def test_nothing_is_missed_where_others_hold_the_feed(
    database_url: str, monkeypatch: pytest.MonkeyPatch, types: list[str]
) -> None:
    """Readers who do not wait for it, writers whose transactions end in another order, and one who holds the clock."""
    monkeypatch.setattr(service, "PAUSES", (0.0,))
    total = 200

    async def run() -> None:
        pool = await asyncpg.create_pool(database_url, min_size=1, max_size=12)
        rng = random.Random(5)

        async def write(number: int) -> None:
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute(WRITE, "acc_a", f"{number:04}", "list.created", 1)
                await asyncio.sleep(rng.uniform(0, 0.02))

        async def hold() -> None:
            while True:
                async with pool.acquire() as connection, connection.transaction():
                    await privacy.hold_feed(connection)
                    await asyncio.sleep(rng.uniform(0, 0.05))
                await asyncio.sleep(rng.uniform(0, 0.01))

        async def read() -> list[str]:
            seen: list[str] = []
            cursor = None
            while len(seen) < total:
                await store.publish(pool)
                limit = rng.randint(1, 7)
                page = await service.page(pool, "acc_a", cursor=cursor, types=types, limit=limit)
                seen += [event.id for event in page.data]
                cursor = page.next_cursor
            return seen

        await write(0)
        async with pool.acquire() as connection, connection.transaction():
            await privacy.hold_feed(connection)
            assert await store.publish(pool) is None
        holder = asyncio.create_task(hold())
        async with asyncio.timeout(120):
            *_, first, second = await asyncio.gather(*(write(number) for number in range(1, total)), read(), read())
        holder.cancel()
        await asyncio.gather(holder, return_exceptions=True)
        rows = await pool.fetch("select id from events order by inserted, id")
        assert first == second == [row["id"] for row in rows]
        assert len(set(first)) == total
        await pool.close()

    asyncio.run(run())


def test_who_holds_the_feed_keeps_nobody_waiting(server: Server) -> None:
    """More poll it than there are connections; each has what is in the feed, and the rest later."""
    account = server.account()
    start = events(account)

    async def run() -> None:
        holder = await asyncpg.connect(server.database_url)
        async with server.async_client(account.token) as client:
            async with holder.transaction():
                await privacy.hold_feed(holder)
                await asyncio.to_thread(server.query, WRITE, account.id, "held", "list.created", 1)
                params = {"cursor": start["next_cursor"]}
                polls = await asyncio.gather(*(client.get("/v1/events", params=params) for _ in range(40)))
                assert {poll.status_code for poll in polls} == {200}
                pages = [poll.json() for poll in polls]
                assert [page["data"] for page in pages] == [[]] * 40
                assert (await client.get("/v1/usage")).status_code == 200
            params = {"cursor": pages[0]["next_cursor"]}
            after: list[Any] = []
            async with asyncio.timeout(90):
                while not after:  # another reader may hold the feed now
                    after = (await client.get("/v1/events", params=params)).json()["data"]
            assert [event["id"] for event in after] == ["evt_held000001"]
        await holder.close()

    asyncio.run(run())


@pytest.fixture
def busy(server: Server) -> Account:
    """An account with many events of two types, the last of them of another."""
    account = server.account()
    server.query(
        """insert into events (account_id, inserted, id, type, actor, data)
           select $1, '2026-01-01'::timestamptz + n * interval '1 second', 'evt_b' || lpad(n::text, 8, '0'),
                  case when n % 2 = 0 then 'email.verified' else 'person.enriched' end, 'operator', '{}'
           from generate_series(1, 20000) n returning 1""",
        account.id,
    )
    return account


def events(account: Account, **params: Any) -> Any:
    answer = account.client.get("/v1/events", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_page_without_events_of_the_type_moves_the_cursor_on(busy: Account) -> None:
    page = events(busy, type="job.failed")
    assert page["data"] == []
    assert events(busy, cursor=page["next_cursor"])["data"] == []
    id = busy.client.post("/v1/lists", json={"name": "New"}).json()["data"]["id"]
    after = events(busy, cursor=page["next_cursor"])["data"]
    assert [(event["type"], event["data"]["id"]) for event in after] == [("list.created", id)]


def test_a_short_page_moves_the_cursor_on_and_a_full_one_to_its_end(busy: Account) -> None:
    page = events(busy, type="key.created", limit=2)
    assert [event["type"] for event in page["data"]] == ["key.created"]
    assert events(busy, cursor=page["next_cursor"])["data"] == []
    page = events(busy, type="key.created", limit=1)
    assert events(busy, cursor=page["next_cursor"], limit=1)["data"] == []
    assert len(events(busy, since="2026-01-01T00:00:00Z", type="email.verified", limit=1000)["data"]) == 1000


def test_a_time_to_come_is_not_gone_back_from(busy: Account) -> None:
    page = events(busy, since="2999-01-01T00:00:00Z", type="list.created")
    busy.client.post("/v1/lists", json={"name": "Before that"})
    assert events(busy, cursor=page["next_cursor"], type="list.created")["data"] == []


def test_several_types_come_in_one_order_page_by_page(busy: Account) -> None:
    seen: list[str] = []
    page = events(busy, type="person.enriched,email.verified", limit=1000)
    while page["data"]:
        seen += [event["id"] for event in page["data"]]
        page = events(
            busy, type=["person.enriched", "email.verified", "email.verified"], limit=1000, cursor=page["next_cursor"]
        )
    assert seen == [f"evt_b{number:08}" for number in range(1, 20001)]


def test_what_becomes_visible_late_is_not_jumped_over_by_an_empty_page(server: Server) -> None:
    account = server.account()

    async def run() -> list[str]:
        slow = await asyncpg.connect(server.database_url)
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute(WRITE, account.id, "slow", "job.failed", 1)
        first = await asyncio.to_thread(events, account, type="job.failed")
        assert first["data"] == []
        await transaction.commit()
        await slow.close()
        second = await asyncio.to_thread(
            until, lambda: events(account, type="job.failed", cursor=first["next_cursor"])["data"]
        )
        return [event["id"] for event in second]

    assert asyncio.run(run()) == ["evt_slow000001"]


def test_a_page_of_some_types_reads_only_these(database_url: str) -> None:
    """The pages touched are as many where ten times as many events of other types lie between."""

    async def run() -> None:
        pool = await asyncpg.create_pool(database_url, min_size=1, max_size=1)
        await pool.execute("alter table events set (autovacuum_enabled = false)")
        touched: list[int] = []
        for rows in (3_000, 27_000):
            await pool.execute(
                """insert into events (account_id, inserted, id, type, actor, data)
                   select 'acc_a', clock_timestamp(), 'evt_' || $1 || '_' || n, 'person.enriched', 'operator', '{}'
                   from generate_series(1, $1::int) n""",
                rows,
            )
            await pool.execute("vacuum analyze events")
            statistics = """select coalesce(heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read, 0)
                            from pg_statio_user_tables where relname = 'events'"""
            await pool.execute("select pg_stat_force_next_flush()")
            before = await pool.fetchval(statistics)
            page = await service.page(pool, "acc_a", types=["job.failed", "list.created", "credits.low"])
            assert page.data == []
            await pool.execute("select pg_stat_force_next_flush()")
            touched.append(await pool.fetchval(statistics) - before)
        assert touched[1] <= touched[0] + 20, touched
        await pool.close()

    asyncio.run(run())


def test_old_events_are_deleted(new_server: Any) -> None:
    server: Server = new_server(start=False, ADDTOCRM_EVENT_DAYS="2")
    account = server.account()
    server.query(
        """insert into events (account_id, inserted, id, type, actor, data)
           select $1, now() - n * interval '1 minute', 'evt_old' || n, 'list.created', 'operator', '{}'
           from generate_series(1, 6000) n returning 1""",
        account.id,
    )
    server.start()
    until(lambda: server.query("select count(*) as n from events where id like 'evt_old%'")[0]["n"] < 2900)
    kept = server.query("select min(inserted) as first from events where id like 'evt_old%'")[0]["first"]
    assert kept > datetime.now(UTC) - timedelta(days=2, hours=1)
    assert account.client.get("/v1/events").status_code == 200
