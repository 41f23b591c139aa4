"""Killed, cut off, restarted: money and events stay exact, and service comes back by itself."""

import asyncio
import contextlib
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import asyncpg
import httpx2 as httpx
from harness import Account, Server, child_process, jobs_process, until, with_pool
from world import WorldBeside

from addtocrm.core.caller import Caller
from addtocrm.core.db.embedded import attach
from addtocrm.core.db.migrate import migrate
from addtocrm.core.db.pool import Pool
from addtocrm.core.db.postmaster import binaries, run
from addtocrm.lookups.people import batch

KILLS = 20
FAILURES = (httpx.TransportError, httpx.RemoteProtocolError)


async def load(server: Server, account: Account, slugs: list[str], answered: set[str]) -> None:
    """Enriches people until the server is gone; notes who was answered."""
    queue = list(slugs)

    async def one(client: httpx.AsyncClient) -> None:
        while queue:
            slug = queue.pop()
            body = {"linkedin_url": f"https://www.linkedin.com/in/{slug}"}
            try:
                answer = await client.post("/v1/people/enrich", json=body)
            except FAILURES:
                return
            assert answer.status_code == 200, answer.text
            answered.add(slug)

    async with server.async_client(account.token, 16) as client:
        await asyncio.gather(*(one(client) for _ in range(16)))


def charged(account: Account) -> int:
    """How many look-ups were paid, once no hold is left; each is in the cache, and the ledger is the balance."""
    until(lambda: not account.server.query("select from holds where account_id = $1", account.id))
    row = account.server.query(
        """select available, (select sum(amount)::int from ledger where account_id = a.id) as ledger,
                  (select count(*)::int from ledger where account_id = a.id and kind = 'charge') as charges,
                  (select count(*)::int from results where account_id = a.id) as results
           from accounts a where id = $1""",
        account.id,
    )[0]
    assert row["available"] == row["ledger"]
    assert row["charges"] == row["results"]
    return row["charges"]


def test_killed_20_times_under_load(new_server: Any) -> None:
    server: Server = new_server()
    slugs = [f"kill-{number}-example" for number in range(4000)]
    server.add_people(*slugs)
    account = server.account(credits=10_000)
    answered: set[str] = set()
    rng = random.Random(7)

    async def until_killed() -> None:
        todo = [slug for slug in slugs if slug not in answered]
        rng.shuffle(todo)
        before = len(answered)
        task = asyncio.create_task(load(server, account, todo, answered))
        while len(answered) == before:
            await asyncio.sleep(0.01)
        await asyncio.sleep(rng.uniform(0, 0.2))
        await asyncio.to_thread(server.kill)
        await task

    for _ in range(KILLS):
        asyncio.run(until_killed())
        server.start()
    assert len(answered) > KILLS

    charges = charged(account)
    assert charges >= len(answered)

    events = account.events()
    ids = [event["id"] for event in events]
    assert len(ids) == len(set(ids))
    enriched = [event["data"]["linkedin_url"] for event in events if event["type"] == "person.enriched"]
    assert len(enriched) == len(set(enriched)) == charges

    remaining = account.usage()["credits"]["remaining"]
    for slug in sorted(answered):
        again = account.enrich(slug).json()
        assert again["cached"] is True
    assert account.usage()["credits"]["remaining"] == remaining


def test_killing_only_the_main_process_leaves_no_orphan(new_server: Any) -> None:
    server: Server = new_server()
    assert server.process is not None
    server.process.kill()
    server.process.wait()

    def gone() -> bool:
        try:
            server.client().get("/healthz")
        except FAILURES:
            return True
        return False

    until(gone)


def test_the_jobs_process_is_begun_anew_each_time_it_dies(new_server: Any) -> None:
    server: Server = new_server()
    for _ in range(3):
        running = jobs_process(server)
        os.kill(running, signal.SIGKILL)
        until(lambda before=running: child_process(server, "jobs") not in (None, before))


def test_jobs_that_waited_for_long_are_done(new_server: Any) -> None:
    """More than are carried out at a time, queued while no process was there to do them."""
    first: Server = new_server()
    first.add_people("waited-example")
    account = first.account()
    first.kill()

    async def submit(pool: Pool) -> list[str]:
        caller = Caller(account.id, "operator", "queued")
        jobs = [await batch.submit(pool, caller, ["linkedin.com/in/waited-example"]) for _ in range(20)]
        return [job.id for job in jobs]

    ids = with_pool(first.database_url, submit)
    second: Server = new_server(first.database_url)
    account.client = second.client(account.token)
    for id in ids:
        until(lambda id=id: account.client.get(f"/v1/jobs/{id}").json()["data"]["status"] == "completed")


def test_postgresql_restarted_under_load(new_server: Any, tmp_path: Path) -> None:
    with attach(tmp_path / "own") as attachment:
        migrate(attachment.url)
        server: Server = new_server(attachment.url)
        slugs = [f"restart-{number}-example" for number in range(10_000)]
        server.add_people(*slugs)
        account = server.account(credits=20_000)
        statuses: list[int] = []
        enough = asyncio.Event()

        async def one(client: httpx.AsyncClient, queue: list[str]) -> None:
            while not enough.is_set() and queue:
                slug = queue.pop()
                body = {"linkedin_url": f"https://www.linkedin.com/in/{slug}"}
                answer = await client.post("/v1/people/enrich", json=body)
                statuses.append(answer.status_code)
                if answer.status_code != 200:
                    queue.append(slug)
                    assert answer.status_code == 500, answer.text
                    assert answer.json()["error"]["type"] == "internal_error"
                    assert "x-ratelimit-remaining-minute" in answer.headers
                    await asyncio.sleep(0.05)

        async def run() -> None:
            queue = list(slugs)
            async with server.async_client(account.token, 16) as client:
                tasks = [asyncio.create_task(one(client, queue)) for _ in range(16)]
                for mode in ("fast", "immediate"):
                    while 200 not in statuses:
                        await asyncio.sleep(0.01)
                    await asyncio.to_thread(restart, tmp_path / "own", mode)
                    statuses.clear()
                while 200 not in statuses:
                    await asyncio.sleep(0.01)
                enough.set()
                await asyncio.gather(*tasks)

        asyncio.run(run())
        until(lambda: server.client().get("/readyz").status_code == 200)
        server.add_people("after-example")
        assert until(lambda: account.enrich("after-example").status_code == 200)
        charged(account)
        server.kill()


def test_a_batch_goes_on_when_postgresql_is_restarted(new_server: Any, tmp_path: Path) -> None:
    world = WorldBeside()
    people = [f"p{number}@d{number % 4}.test" for number in range(120)]
    for number in range(4):
        world.server(f"d{number}.test", mailboxes=set(people), delay=0.1)
    with attach(tmp_path / "own") as attachment:
        migrate(attachment.url)
        server: Server = new_server(attachment.url, **world.environment)
        account = server.account(credits=1_000)
        id = account.client.post("/v1/batch/emails-verify", json={"items": people}).json()["data"]["id"]
        for seconds, mode in ((0.5, "fast"), (1.5, "immediate")):  # while jobs are being begun, and under way
            time.sleep(seconds)
            restart(tmp_path / "own", mode)

        def ended() -> Any:
            answer = account.client.get(f"/v1/jobs/{id}")
            return answer.status_code == 200 and answer.json()["data"]["status"] == "completed"

        until(ended)
        page = account.client.get(f"/v1/jobs/{id}/results", params={"limit": 1000}).json()["data"]
        assert [one["data"]["result"] for one in page] == ["deliverable"] * 120
        assert charged(account) == 120
        server.kill()
    world.close()


def restart(data_dir: Path, mode: str) -> None:
    run(binaries() / "pg_ctl", "stop", "-D", data_dir / "postgres", "-m", mode, "-w")
    attach(data_dir).detach()


def test_a_server_that_waits_for_its_database_is_not_ready(server: Server) -> None:
    """All connections of the pool wait in the database; whoever asks whether it is ready gets none."""
    account = server.account()
    waiting = """select count(*)::int as n from pg_stat_activity
                 where datname = current_database() and wait_event_type = 'Lock' and query like '%usage%'"""

    async def run() -> None:
        holder = await asyncpg.connect(server.database_url)
        async with server.async_client(account.token) as client:
            async with holder.transaction():
                await holder.execute("lock table usage in access exclusive mode")
                asked = [asyncio.create_task(client.get("/v1/usage")) for _ in range(40)]
                while (await asyncio.to_thread(server.query, waiting))[0]["n"] < 20:
                    await asyncio.sleep(0.05)
                ready = await client.get("/readyz")
                assert (ready.status_code, ready.json()["status"]) == (503, "the database does not answer")
            assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
            assert (await client.get("/readyz")).status_code == 200
        await holder.close()

    asyncio.run(run())


def test_a_slow_transaction_is_not_jumped_over(server: Server) -> None:
    """The first event is written earlier and committed later, with a poller between."""
    account = server.account()
    account.events()

    def page_after(cursor: str) -> Any:
        """The page where it has events: others may hold the feed."""
        page = account.client.get("/v1/events", params={"cursor": cursor}).json()
        return page["data"] and page

    async def run() -> tuple[list[str], list[str]]:
        insert = """insert into events_outbox (id, account_id, type, actor, data)
                    values ($1, $2, 'list.created', 'operator', '{}')"""
        early = await asyncpg.connect(server.database_url)
        late = await asyncpg.connect(server.database_url)
        start = (await asyncio.to_thread(account.client.get, "/v1/events")).json()
        slow = early.transaction()
        await slow.start()
        await early.execute(insert, "evt_early", account.id)
        await late.execute(insert, "evt_late", account.id)
        first = await asyncio.to_thread(until, lambda: page_after(start["next_cursor"]))
        await slow.commit()
        second = await asyncio.to_thread(until, lambda: page_after(first["next_cursor"]))
        await early.close()
        await late.close()
        return [event["id"] for event in first["data"]], [event["id"] for event in second["data"]]

    assert asyncio.run(run()) == (["evt_late"], ["evt_early"])


def test_pollers_see_each_event_once_in_one_order(server: Server) -> None:
    """Writers with transactions of random length, two pollers with pages of random size."""
    account = server.account()
    total = 300

    async def run() -> list[list[str]]:
        pool = await asyncpg.create_pool(server.database_url, min_size=8, max_size=8)
        rng = random.Random(3)

        async def write(number: int) -> None:
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute(
                    """insert into events_outbox (id, account_id, type, actor, data)
                       values ($1, $2, 'list.created', 'operator', '{}')""",
                    f"evt_{number:04}",
                    account.id,
                )
                await asyncio.sleep(rng.uniform(0, 0.02))

        async def poll() -> list[str]:
            seen: list[str] = []
            cursor = None
            async with server.async_client(account.token) as client:
                while len(seen) < total + 1:
                    params: dict[str, Any] = {"limit": rng.randint(1, 7)}
                    if cursor:
                        params["cursor"] = cursor
                    page = (await client.get("/v1/events", params=params)).json()
                    seen += [event["id"] for event in page["data"]]
                    cursor = page["next_cursor"]
            return seen

        pollers = [asyncio.create_task(poll()) for _ in range(2)]
        await asyncio.gather(*(write(number) for number in range(total)))
        async with asyncio.timeout(60):
            seen = await asyncio.gather(*pollers)
        await pool.close()
        return seen

    first, second = asyncio.run(run())
    assert first == second
    assert len(first) == len(set(first)) == total + 1


def test_sigterm_finishes_what_is_under_way(new_server: Any) -> None:
    server: Server = new_server()
    server.add_people(*[f"term-{number}-example" for number in range(400)])
    account = server.account(credits=1000)
    answered: set[str] = set()

    async def run() -> None:
        slugs = [f"term-{number}-example" for number in range(400)]
        task = asyncio.create_task(load(server, account, slugs, answered))
        while not answered:
            await asyncio.sleep(0.01)
        code = await asyncio.to_thread(server.stop)
        assert code == 0
        with contextlib.suppress(AssertionError):
            await task

    asyncio.run(run())
    assert not server.query("select from holds")
    charges = server.query("select count(*)::int as n from ledger where kind = 'charge'")[0]["n"]
    assert charges == server.query("select count(*)::int as n from results")[0]["n"]
    assert charges == len(answered)
