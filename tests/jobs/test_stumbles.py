"""What fails as jobs are looked after ends neither the work nor the process."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import asyncpg
from harness import Server, jobs_process, until
from jobbing import charges, ended, enrich, records_held, results, verify
from world import WorldBeside

from addtocrm.core.ids import new_id

WAITS_FOR_RESULTS = """select exists (select from pg_locks where not granted and relation = 'results'::regclass
    and database = (select oid from pg_database where datname = current_database()))"""

WAITS_FOR_A_ROW = """select from pg_stat_activity where wait_event = 'transactionid' and datname = current_database()"""


def cancelled(url: str, statement: str, begin: Callable[[], None] | None = None) -> None:
    """Holds the jobs' table until a statement that waits for it was cancelled. What `begin` begins gets to no result
    before the table is held."""

    async def run() -> None:
        holder, canceller, keeper = [await asyncpg.connect(url) for _ in range(3)]
        deadline = time.monotonic() + 90
        kept = keeper.transaction()
        await kept.start()
        if begin:
            await keeper.execute("lock table results in access exclusive mode")
            await asyncio.to_thread(begin)
            while not await canceller.fetchval(WAITS_FOR_RESULTS):
                assert time.monotonic() < deadline, "it was never begun"
                await asyncio.sleep(0.05)
        async with holder.transaction():
            await holder.execute("lock table jobs in access exclusive mode")
            await kept.commit()
            while not await canceller.fetchval(
                """select count(pg_cancel_backend(pid)) from pg_stat_activity
                   where wait_event_type = 'Lock' and datname = current_database() and query like $1""",
                f"%{statement}%",
            ):
                assert time.monotonic() < deadline, "it was never begun"
                await asyncio.sleep(0.05)
        for connection in (holder, canceller, keeper):
            await connection.close()

    asyncio.run(run())


def test_the_loop_of_jobs_outlives_a_failed_statement(new_server: Any, mail: WorldBeside) -> None:
    people = [f"p{number}@stumble.test" for number in range(20)]
    mail.server("stumble.test", mailboxes=set(people), delay=0.5)
    server: Server = new_server(**mail.environment)
    server.add_people("beside-example")
    account, other = server.account(credits=100), server.account(credits=100)
    id = verify(account, people)
    until(lambda: server.query("select from holds where account_id = $1", account.id))
    first = jobs_process(server)
    cancelled(server.database_url, "update jobs set instance = null")
    assert ended(other, enrich(other, ["linkedin.com/in/beside-example"]))["succeeded"] == 1
    figures = ended(account, id)
    assert (figures["succeeded"], figures["credits_deducted"]) == (20, 20)
    assert jobs_process(server) == first
    assert "jobs_stumbled" in server.log.read_text()


def test_an_outcome_outlives_a_failed_statement(new_server: Any, mail: WorldBeside) -> None:
    mail.server("unsettled.test", mailboxes={"p@unsettled.test"})
    server: Server = new_server(**mail.environment)
    account = server.account(credits=100)
    ids: list[str] = []
    cancelled(server.database_url, "with ended as", lambda: ids.append(verify(account, ["p@unsettled.test"])))
    (id,) = ids
    figures = ended(account, id)
    assert (figures["succeeded"], figures["credits_deducted"], charges(account)) == (1, 1, 1), results(account, id)


def test_a_job_that_cannot_be_read_fails_alone(new_server: Any) -> None:
    server: Server = new_server()
    server.add_people("read-example")
    account, other = server.account(credits=100), server.account(credits=100)
    ids = [new_id("job") for _ in range(3)]
    callers = {"account_id": account.id, "actor": "operator", "request_id": "one"}
    for id, caller, options in zip(ids, ({}, callers, {}), ({}, {}, {}), strict=True):
        server.query(
            """with made as (insert into jobs (id, account_id, kind, scope, caller, options, total, pending)
                             values ($1, $2, 'people.enrich', 'enrich', $3::json, $4::json, 1, 1))
               insert into job_items (job_id, position, input)
               values ($1, 1, '"linkedin.com/in/read-example"') returning 1""",
            id,
            account.id,
            json.dumps(caller),
            json.dumps(options),
        )
    assert ended(other, enrich(other, ["linkedin.com/in/read-example"]))["succeeded"] == 1
    figures = [ended(account, id) for id in ids]
    assert [one["status"] for one in figures] == ["failed", "completed", "failed"]
    assert "cannot be read" in figures[0]["error"]
    assert [event["type"] for event in account.events() if event["data"].get("id") == ids[0]] == ["job.failed"]


def test_what_is_recorded_beside_another_change_is_kept(new_server: Any) -> None:
    """The records of what became of items meet rows that somebody else has just changed."""
    server: Server = new_server()
    slugs = [f"beside-{number}-example" for number in range(800)]
    server.add_people(*slugs)
    account = server.account(credits=1000)

    async def run() -> str:
        other = await asyncpg.connect(server.database_url)
        change = other.transaction()
        async with records_held(server):
            id = await asyncio.to_thread(enrich, account, [f"linkedin.com/in/{slug}" for slug in [*slugs, *slugs[:20]]])
            await asyncio.to_thread(until, lambda: charges(account) == 800)
            await other.execute("analyze job_items")
            await change.start()
            await other.execute(
                """update job_items set deaths = deaths where (job_id, position) in (
                       select job_id, position from job_items where status = 'pending' for update skip locked)"""
            )
        await asyncio.to_thread(until, lambda: server.query(WAITS_FOR_A_ROW))
        await change.commit()
        await other.close()
        return id

    id = asyncio.run(run())
    assert ended(account, id)["credits_deducted"] == 800
    told = [(one["credits_deducted"], one["cached"]) for one in results(account, id)]
    assert told == [(1, False)] * 800 + [(0, True)] * 20
