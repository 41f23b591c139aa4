"""Who may read a job, what that costs, and for how long."""

import asyncio
import csv
import io
import time
from collections.abc import AsyncIterator
from typing import Any

from harness import Account, Server, until
from jobbing import ended, enrich, job, list_of, push

from addtocrm.core.db.pool import open_pool
from addtocrm.jobs import store
from addtocrm.jobs.model import JobResult
from addtocrm.jobs.table import table


def test_a_job_is_for_the_scope_that_made_it(server: Server) -> None:
    account = server.account(credits=10)
    account.connect_builtin()
    server.add_people("scope-example")
    ids = {"enrich": enrich(account, ["linkedin.com/in/scope-example"]), "lists": push(account, 1)}
    for id in ids.values():
        ended(account, id)
    calls = [("GET", ""), ("GET", "/results"), ("GET", "/results?format=csv"), ("POST", "/cancel")]
    for made_with, id in ids.items():
        for scope in ("enrich", "lists", "write", "read"):
            client = server.client(account.key([scope]))
            for method, path in calls:
                answer = client.request(method, f"/v1/jobs/{id}{path}")
                if scope == made_with:
                    assert answer.status_code == 200, answer.text
                else:
                    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "scope_required")
                    assert f"`{made_with}`" in answer.json()["error"]["message"]
    stranger = server.account()
    for method, path in calls:
        assert stranger.client.request(method, f"/v1/jobs/{ids['enrich']}{path}").status_code == 404


def test_a_push_needs_both_scopes(server: Server) -> None:
    account = server.account()
    account.connect_builtin()
    id = list_of(account, 1)
    for scope, missing in (("lists", "write"), ("write", "lists")):
        answer = server.client(account.key([scope])).post(f"/v1/lists/{id}/push", json={})
        assert (answer.status_code, answer.json()["error"]["type"]) == (403, "scope_required")
        assert f"lacks `{missing}`" in answer.json()["error"]["message"]
    assert server.client(account.key(["lists", "write"])).post(f"/v1/lists/{id}/push", json={}).status_code == 202
    described = server.client().get("/openapi.json").json()["paths"]["/v1/lists/{id}/push"]["post"]
    assert "Scope: `lists` and `write`." in described["description"]


def test_a_poll_reads_no_items(server: Server) -> None:
    """What it reads is the job's row, however many items there are."""
    account = server.account()
    server.query("alter table job_items set (autovacuum_enabled = false)")  # it reads them all
    others = "select from pg_stat_activity where datname = current_database() and backend_type = 'autovacuum worker'"
    id = ended_job(account, 20_000)
    until(lambda: not server.query(others))
    counters = """select relname, coalesce(heap_blks_read + heap_blks_hit, 0) as blocks from pg_statio_user_tables
                  where relname = 'job_items'"""
    inserted = "select n_tup_ins >= 20000 as are from pg_stat_user_tables where relname = 'job_items'"
    until(lambda: server.query(inserted)[0]["are"])  # a session hands its counts in when it has ended
    before = server.query(counters)[0]["blocks"]
    for _ in range(50):
        assert job(account, id)["total"] == 20_000
    time.sleep(1.5)  # statistics of an idle session are handed in after a second
    assert server.query(counters)[0]["blocks"] - before < 1000


def ended_job(account: Account, items: int) -> str:
    """An ended job with so many items, without the work."""
    id = f"job_{account.id}"
    account.server.query(
        """with made as (
               insert into jobs (id, account_id, kind, scope, status, caller, options, total, succeeded, finished_at)
               values ($1, $2, 'lists.push', 'lists', 'completed', '{}', '{}', $3, $3, now()) returning id)
           insert into job_items (job_id, position, input, status, result)
           select id, n, '{}', 'succeeded', json_build_object('n', n, 'inner', json_build_object('of', n))
           from made, generate_series(1, $3) n
           returning 1""",
        id,
        account.id,
        items,
    )
    return id


def test_the_csv_of_many_items_is_whole(server: Server) -> None:
    account = server.account()
    id = ended_job(account, 2_600)
    server.query(
        """update job_items set result = '{"late": ["a", "b"]}' where job_id = $1 and position = 2600 returning 1""", id
    )
    answer = account.client.get(f"/v1/jobs/{id}/results", params={"format": "csv"})
    assert answer.headers["content-disposition"] == f'attachment; filename="{id}.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["position"] for row in rows] == [str(number) for number in range(1, 2_601)]
    assert (rows[6]["n"], rows[6]["inner.of"], rows[6]["late"]) == ("7", "7", "")
    assert (rows[-1]["n"], rows[-1]["late"]) == ("", "a; b")


def test_ended_jobs_are_deleted_after_their_time(new_server: Any) -> None:
    server: Server = new_server(ADDTOCRM_JOB_DAYS="0.5")
    account = server.account()
    old = ended_job(account, 5_000)
    server.query("update jobs set finished_at = now() - interval '13 hours' where id = $1 returning 1", old)
    server.add_people("kept-example")
    kept = enrich(account, ["linkedin.com/in/kept-example"])
    until(lambda: not server.query("select from jobs where id = $1", old))
    assert not server.query("select from job_items where job_id = $1", old)
    assert account.client.get(f"/v1/jobs/{old}").status_code == 404
    assert ended(account, kept)["succeeded"] == 1


def test_a_list_of_many_is_pushed_without_passing_through_the_server(new_server: Any) -> None:
    server: Server = new_server()
    account = server.account()
    account.connect_builtin()
    id = push(account, 20_000)
    query = """select input->>'member_id' as id, input->'person'->>'full_name' as name from job_items
               where job_id = $1 and position = 19999"""
    row = server.query(query, id)[0]
    assert row["name"] == "M 19999" and row["id"].startswith("mem_")
    assert job(account, id)["total"] == 20_000
    account.client.post(f"/v1/jobs/{id}/cancel")


def test_what_ends_while_a_csv_is_read_is_told_as_it_was() -> None:
    """Its columns were read before: it is not a row that ended and lacks what it found."""
    first = [JobResult(1, "succeeded", "a", {"email": "a@example.com"}, None), JobResult(2, "pending", "b", None, None)]
    later = [first[0], JobResult(2, "succeeded", "b", {"email": "b@example.com", "phone": "1"}, None)]
    passes = iter((first, later))

    async def pages(rows: list[JobResult]) -> AsyncIterator[list[JobResult]]:
        yield rows

    async def read() -> str:
        return b"".join([chunk async for chunk in table(lambda: pages(next(passes)))]).decode()

    rows = list(csv.DictReader(io.StringIO(asyncio.run(read()))))
    assert [(row["status"], row["email"]) for row in rows] == [("succeeded", "a@example.com"), ("pending", "")]


def test_two_hosts_delete_an_old_job_a_few_items_at_a_time(database_url: str) -> None:
    async def run() -> None:
        pool = await open_pool(database_url, size=4)
        await pool.execute(
            """insert into jobs (id, account_id, kind, scope, caller, options, total, status, finished_at)
               values ('job_1', 'acc', 'kind', 'enrich', '{}', '{}', 500, 'completed', now() - interval '99 days')"""
        )
        await pool.execute(
            "insert into job_items (job_id, position, input) select 'job_1', n, '1' from generate_series(1, 500) n"
        )
        async with pool.acquire() as one, one.transaction():
            some = "delete from job_items where job_id = 'job_1' and position <= 100"
            await one.execute(some)
            assert not await store.delete_some(pool, "job_1", 100)
            assert not await store.delete_some(pool, "job_1", 1000)
            assert not await store.delete_some(pool, "job_1", 100)
        assert await pool.fetchval("select count(*) from jobs") == 1
        assert await store.delete_some(pool, "job_1", 100)
        assert await pool.fetchval("select count(*) from jobs") == 0
        await pool.close()

    asyncio.run(run())
