"""Jobs: they go on after any end of any process, nobody waits for another's, and their figures are true."""

import asyncio
import csv
import io
import json
import os
import signal
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from harness import Account, Server, until, with_pool
from world import WorldBeside

from addtocrm import settings as settings_module
from addtocrm.crm import connections

ENDED = ("completed", "failed", "cancelled")


@pytest.fixture
def mail() -> Iterator[WorldBeside]:
    world = WorldBeside()
    yield world
    world.close()


def connect_builtin(account: Account) -> None:
    settings = settings_module.load({"ADDTOCRM_DATABASE_URL": account.server.database_url})
    with_pool(account.server.database_url, lambda pool: connections.connect(pool, settings, account.id, "builtin"))


def list_of(account: Account, people: int) -> str:
    """A list with so many people on it."""
    id = account.client.post("/v1/lists", json={"name": "People"}).json()["data"]["id"]
    account.server.query(
        """insert into list_members (id, list_id, identity, person)
           select 'mem_' || $1::text || lpad(n::text, 6, '0'), $1, 'in:' || n,
                  json_build_object('linkedin_url', 'https://www.linkedin.com/in/m' || n || '-example',
                                    'full_name', 'M ' || n)
           from generate_series(1, $2) n returning 1""",
        id,
        people,
    )
    return id


def submit(account: Account, path: str, body: dict[str, Any]) -> str:
    answer = account.client.post(path, json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()["data"]["id"]


def enrich(account: Account, items: list[Any]) -> str:
    return submit(account, "/v1/batch/people-enrich", {"items": items})


def verify(account: Account, items: list[Any]) -> str:
    return submit(account, "/v1/batch/emails-verify", {"items": items})


def push(account: Account, people: int) -> str:
    return submit(account, f"/v1/lists/{list_of(account, people)}/push", {})


def job(account: Account, id: str) -> dict[str, Any]:
    return account.client.get(f"/v1/jobs/{id}").json()["data"]


def ended(account: Account, id: str, seconds: float = 60) -> dict[str, Any]:
    return until(lambda: (one := job(account, id))["status"] in ENDED and one, seconds)


def results(account: Account, id: str) -> list[dict[str, Any]]:
    return account.client.get(f"/v1/jobs/{id}/results", params={"limit": 1000}).json()["data"]


def until_done(account: Account, id: str, items: int = 1) -> None:
    """Waits until the job has done some of its items."""
    until(lambda: job(account, id)["succeeded"] >= items)


def counted(account: Account, id: str) -> tuple[int, int, int, int]:
    """The figures of a job, from its items."""
    return tuple(
        account.server.query(
            """select count(*) filter (where status = 'succeeded')::int, count(*) filter (where status = 'failed')::int,
                      count(*) filter (where status = 'pending')::int, coalesce(sum(credits_deducted), 0)::int
               from job_items where job_id = $1""",
            id,
        )[0]
    )


def shown(figures: dict[str, Any]) -> tuple[int, int, int, int]:
    return figures["succeeded"], figures["failed"], figures["pending"], figures["credits_deducted"]


def charges(account: Account) -> int:
    return account.server.query(
        "select count(*)::int as n from ledger where account_id = $1 and kind = 'charge'", account.id
    )[0]["n"]


def jobs_process(server: Server) -> int:
    assert server.process is not None
    for thread in Path(f"/proc/{server.process.pid}/task").glob("*/children"):
        for child in thread.read_text().split():
            if "jobs.process" in Path(f"/proc/{child}/cmdline").read_text():
                return int(child)
    raise AssertionError("no jobs process")


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL", "SIGTERM of the jobs process", "SIGKILL of the jobs process"])
def test_every_job_goes_on_after_any_end(new_server: Any, mail: WorldBeside, end: str) -> None:
    people = [f"p{number}@term.test" for number in range(60)]
    mail.server("term.test", mailboxes=set(people), delay=0.05)
    server: Server = new_server(**mail.environment)
    slugs = [f"term-{number}-example" for number in range(2000)]
    server.add_people(*slugs)
    account = server.account(credits=10_000)
    connect_builtin(account)
    batch, pushed = enrich(account, [f"linkedin.com/in/{slug}" for slug in slugs]), push(account, 1500)
    verified = verify(account, people)
    for id in (batch, pushed, verified):
        until_done(account, id)
    number = signal.SIGTERM if "SIGTERM" in end else signal.SIGKILL
    if "process" in end:
        os.kill(jobs_process(server), number)
    else:
        assert server.stop() == 0 if number == signal.SIGTERM else server.kill() is None
        assert [row["status"] for row in server.query("select status from jobs")] == ["running"] * 3
        server.start()
    for id, items in ((batch, 2000), (pushed, 1500), (verified, 60)):
        figures = ended(account, id)
        assert (figures["status"], figures["total"], figures["succeeded"]) == ("completed", items, items)
        assert shown(figures) == counted(account, id)
    contacts = server.query("select count(*)::int as n from crm_contacts where account_id = $1", account.id)
    assert contacts[0]["n"] == 1500
    assert charges(account) == 2060
    assert [event["type"] for event in account.events()].count("job.completed") == 3


def test_jobs_of_another_host_are_taken_over(new_server: Any) -> None:
    """Two hosts carry the jobs of one account; the one that dies loses none."""
    first: Server = new_server()
    second: Server = new_server(first.database_url)
    slugs = [f"hosts-{number}-example" for number in range(300)]
    first.add_people(*slugs)
    account = first.account(credits=100_000)
    items = [{"linkedin_url": f"linkedin.com/in/{slug}", "refresh": True} for slug in slugs]
    ids = [enrich(account, items) for _ in range(40)]
    carriers = "select count(distinct instance)::int as n from jobs where status = 'running'"
    until(lambda: first.query(carriers)[0]["n"] == 2)
    second.kill()
    for id in ids:
        assert ended(account, id, 120)["succeeded"] == 300


def test_a_job_of_an_earlier_version_goes_on(new_server: Any) -> None:
    server: Server = new_server(start=False)
    old = """
        alter table jobs drop column scope, drop column instance, drop column due_at, drop column cancelled_by,
            drop column succeeded, drop column failed, drop column pending, drop column credits_deducted;
        drop index if exists jobs_finished_at_idx;
        create schema dbos; create table dbos.workflow_status (workflow_uuid text, status text);
        insert into accounts (id, email, plan, available, period_credits, period_start, period_end)
        values ('acc_old', 'old@example.com', 'pro', 10, 10, now(), now() + interval '1 month');
        insert into people (id, identity, data)
        values ('per_old', 'in:old-example', '{"linkedin_url": "https://www.linkedin.com/in/old-example"}');
        insert into jobs (id, account_id, kind, status, caller, options, total)
        values ('job_old', 'acc_old', 'people.enrich', 'running', $caller, '{}', 3);
        insert into job_items (job_id, position, input, status, credits_deducted)
        values ('job_old', 1, '"linkedin.com/in/done-example"', 'succeeded', 1),
               ('job_old', 2, '"linkedin.com/in/old-example"', 'pending', null),
               ('job_old', 3, '"nobody"', 'pending', null);
        insert into dbos.workflow_status values ('job_old', 'ERROR');
    """
    caller = json.dumps({"account_id": "acc_old", "actor": "operator", "request_id": "r", "plan_credits": 1000})
    with_pool(server.database_url, lambda pool: pool.execute(old.replace("$caller", f"'{caller}'")))
    upgrade = import_module("addtocrm.db.migrations.versions.0010_jobs")
    with_pool(server.database_url, lambda pool: pool.execute(f"{upgrade.JOBS} {upgrade.NO_DBOS}"))
    server.start()
    query = "select status, succeeded, failed, pending, credits_deducted, scope from jobs where status = 'completed'"
    row = until(lambda: server.query(query))[0]
    assert tuple(row) == ("completed", 2, 1, 0, 2, "enrich")
    assert not server.query("select from pg_namespace where nspname = 'dbos'")


POISON = "🧛‍♀️" * 40


def test_poison_fails_alone(server: Server) -> None:
    """Ten jobs of names too long for an index, beside another tenant's."""
    server.add_people("beside-example")
    poisoned, other = server.account(credits=100), server.account(credits=100)
    item = {"first_name": POISON, "last_name": POISON, "company_name": POISON}
    ids = [enrich(poisoned, [item, "linkedin.com/in/beside-example"]) for _ in range(10)]
    assert ended(other, enrich(other, ["linkedin.com/in/beside-example"]))["succeeded"] == 1
    for id in ids:
        figures = ended(poisoned, id)
        assert (figures["status"], figures["succeeded"], figures["failed"]) == ("completed", 1, 1)
        assert results(poisoned, id)[0]["error"]["type"] == "not_found"


def test_what_the_database_refuses_fails_alone(server: Server) -> None:
    """An item that no statement takes (here: a NUL in a key) is not taken for a lost connection."""
    server.add_people("refused-example")
    account = server.account(credits=100)
    id = enrich(account, ["linkedin.com/in/refused-example"] * 1)
    ended(account, id)
    server.query(
        """update job_items set status = 'pending', result = null, cached = null, credits_deducted = null,
               input = '{"email": "x\\u0000y@example.com"}' where job_id = $1 returning 1""",
        id,
    )
    server.query(
        """insert into job_items (job_id, position, input) values ($1, 2, '{"linkedin_url": 5}'),
               ($1, 3, '"linkedin.com/in/refused-example"') returning 1""",
        id,
    )
    server.query(
        """update jobs set status = 'queued', total = 3, pending = 3, succeeded = 0, credits_deducted = 0
           where id = $1 returning 1""",
        id,
    )
    figures = ended(account, id)
    assert (figures["status"], figures["succeeded"], figures["failed"]) == ("completed", 1, 2)
    assert results(account, id)[1]["error"]["type"] == "internal_error"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/people/enrich", {"first_name": POISON, "last_name": POISON, "company_name": POISON}),
        ("/v1/companies/lookup", {"name": POISON}),
        ("/v1/emails/find", {"first_name": "ﷺ" * 200, "last_name": "ﷺ" * 200, "domain": "example.com"}),
        ("/v1/emails/verify", {"email": "🧛" * 900}),
        ("/v1/crm/contacts", {"person": {"full_name": POISON, "company_name": POISON}}),
        ("/v1/crm/companies", {"company": {"name": POISON}}),
    ],
)
def test_a_key_too_long_for_its_index_is_no_failure(server: Server, path: str, body: dict[str, Any]) -> None:
    account = server.account()
    connect_builtin(account)
    for _ in range(2):
        answer = account.client.post(path, json=body)
        assert answer.status_code in (200, 201, 404), answer.text


def test_a_list_takes_the_longest_name_once(server: Server) -> None:
    account = server.account()
    id = account.client.post("/v1/lists", json={"name": "Long"}).json()["data"]["id"]
    body = {"people": [{"full_name": POISON, "company_name": POISON}, {"full_name": POISON, "company_name": "Acme"}]}
    for status in (201, 200):
        assert account.client.post(f"/v1/lists/{id}/members", json=body).status_code == status


def test_a_small_job_is_done_beside_many_large_ones(new_server: Any) -> None:
    server: Server = new_server()
    slugs = [f"large-{number}-example" for number in range(400)]
    server.add_people("small-example", *slugs)
    large, small = server.account(credits=100_000), server.account()
    items = [{"linkedin_url": f"linkedin.com/in/{slug}", "refresh": True} for slug in slugs]
    ids = [enrich(large, items) for _ in range(50)]
    done = "select sum(succeeded)::int as n from jobs where account_id = $1"
    until(lambda: server.query(done, large.id)[0]["n"] > 0)
    before = server.query(done, large.id)[0]["n"]
    assert ended(small, enrich(small, ["linkedin.com/in/small-example"]))["succeeded"] == 1
    assert server.query(done, large.id)[0]["n"] - before < 10_000
    for id in ids:
        large.client.post(f"/v1/jobs/{id}/cancel")


def test_batches_that_are_greylisted_hold_no_place(new_server: Any, mail: WorldBeside) -> None:
    mail.server("grey.test", rcpt=lambda address: "451 4.7.1 Greylisted, try again in 300 seconds")
    mail.server("quick.test", mailboxes={"jane@quick.test"})
    server: Server = new_server(**mail.environment)
    waiting, other = server.account(), server.account()
    ids = [verify(waiting, [f"p{number}@grey.test"]) for number in range(20)]
    given_back = "select count(*)::int as n from jobs where due_at > now() + interval '1 minute' and instance is null"
    until(lambda: server.query(given_back)[0]["n"] == 20, 60)
    assert ended(other, verify(other, ["jane@quick.test"]))["succeeded"] == 1
    assert {job(waiting, id)["status"] for id in ids} == {"running"}
    server.stop()
    server.start()
    assert server.query(given_back)[0]["n"] == 20
    assert job(waiting, ids[0])["pending"] == 1
    cancelled = waiting.client.post(f"/v1/jobs/{ids[0]}/cancel").json()["data"]
    assert (cancelled["status"], cancelled["pending"]) == ("cancelled", 0)


def test_what_takes_long_leaves_places_to_others(new_server: Any, mail: WorldBeside) -> None:
    """One tenant's addresses at a server that hardly answers fill every place there is."""
    mail.server("tarpit.test", delay=5.0)
    mail.server("fast.test", mailboxes={"jane@fast.test"})
    server: Server = new_server(**mail.environment)
    slow, other = server.account(credits=10_000), server.account()
    id = verify(slow, [f"p{number}@tarpit.test" for number in range(3000)])
    until(lambda: server.query("select from holds where account_id = $1", slow.id))
    assert ended(other, verify(other, ["jane@fast.test"]))["succeeded"] == 1
    assert job(slow, id)["succeeded"] < 100
    slow.client.post(f"/v1/jobs/{id}/cancel")


def test_the_figures_of_a_cancelled_batch_are_final(new_server: Any, mail: WorldBeside) -> None:
    people = [f"p{number}@cancel.test" for number in range(300)]
    mail.server("cancel.test", mailboxes=set(people), delay=0.1)
    server: Server = new_server(**mail.environment)
    account = server.account(credits=1000)
    id = verify(account, people)
    until_done(account, id)
    account.client.post(f"/v1/jobs/{id}/cancel")
    figures = ended(account, id)
    assert figures["status"] == "cancelled" and figures["succeeded"] < 300
    assert figures["credits_deducted"] == charges(account) == account.usage()["credits"]["used"]
    assert not server.query("select from holds where account_id = $1", account.id)
    assert shown(figures) == counted(account, id)
    time.sleep(2)
    assert job(account, id) == figures and charges(account) == figures["credits_deducted"]


def test_a_cancelled_push_wrote_what_it_says(new_server: Any) -> None:
    server: Server = new_server()
    account = server.account()
    connect_builtin(account)
    id = push(account, 3000)
    until_done(account, id)
    account.client.post(f"/v1/jobs/{id}/cancel")
    figures = ended(account, id)
    assert figures["status"] == "cancelled" and 0 < figures["succeeded"] < 3000

    def written() -> int:
        return server.query("select count(*)::int as n from crm_contacts where account_id = $1", account.id)[0]["n"]

    assert figures["succeeded"] == written()
    time.sleep(1)
    assert figures["succeeded"] == written() and job(account, id) == figures


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_job_is_cancelled_also_where_its_process_ends_meanwhile(new_server: Any, end: signal.Signals) -> None:
    """The push is held up in the middle of a write, then cancelled, then its process ends."""
    server: Server = new_server()
    account = server.account()
    connect_builtin(account)
    id = push(account, 500)
    until_done(account, id)

    async def cancel_under_lock(pool: Any) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("select from crm_connections where account_id = $1 for update", account.id)
            answer = await asyncio.to_thread(account.client.post, f"/v1/jobs/{id}/cancel")
            assert answer.json()["data"]["status"] == "running", "something is under way still"
            os.kill(jobs_process(server), end)

    with_pool(server.database_url, cancel_under_lock)
    figures = ended(account, id)
    assert figures["status"] == "cancelled"
    assert shown(figures) == counted(account, id)


def test_a_revoked_keys_job_ends(new_server: Any, mail: WorldBeside) -> None:
    people = [f"p{number}@revoked.test" for number in range(500)]
    mail.server("revoked.test", mailboxes=set(people), delay=0.1)
    server: Server = new_server(**mail.environment)
    account = server.account(credits=1000)
    id = verify(account, people)
    until_done(account, id)
    account.revoke()
    account.client = server.client(account.key(["enrich", "read"]))
    figures = ended(account, id)
    assert figures["status"] == "failed" and "revoked" in figures["error"]
    assert 0 < figures["succeeded"] < 500 and figures["credits_deducted"] == charges(account)
    assert shown(figures) == counted(account, id)
    assert sum(one["status"] == "succeeded" for one in results(account, id)) == figures["succeeded"]


def test_a_job_of_an_account_off_pro_ends(new_server: Any, mail: WorldBeside) -> None:
    """Also one that waits; and nothing is granted by what the plan was when the job was made."""
    people = [f"p{number}@plan.test" for number in range(500)]
    mail.server("plan.test", mailboxes=set(people), delay=0.1)
    mail.server("later.test", rcpt=lambda address: "451 4.7.1 Greylisted, try again in 300 seconds")
    server: Server = new_server(**mail.environment)
    account = server.account(credits=1000)
    id, waiting = verify(account, people), verify(account, ["jane@later.test"])
    until_done(account, id)
    until(lambda: server.query("select from jobs where id = $1 and due_at > now() + interval '1 minute'", waiting))
    account.set_plan("free")
    query = "select status, error, succeeded, credits_deducted from jobs where id = $1 and finished_at is not null"
    row = until(lambda: server.query(query, id))[0]
    assert row["status"] == "failed" and "Pro plan" in row["error"] and 0 < row["succeeded"] < 500
    assert row["credits_deducted"] == charges(account)
    server.query("update jobs set due_at = now() where id = $1 returning 1", waiting)
    assert until(lambda: server.query(query, waiting))[0]["status"] == "failed"


def test_a_job_is_for_the_scope_that_made_it(server: Server) -> None:
    account = server.account(credits=10)
    connect_builtin(account)
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
    connect_builtin(account)
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
    id = ended_job(account, 20_000)
    counters = """select relname, coalesce(heap_blks_read + heap_blks_hit, 0) as blocks from pg_statio_user_tables
                  where relname = 'job_items'"""
    before = server.query("select pg_stat_force_next_flush()") and server.query(counters)[0]["blocks"]
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
    until(lambda: not server.query("select from jobs where id = $1", old), 30)
    assert not server.query("select from job_items where job_id = $1", old)
    assert account.client.get(f"/v1/jobs/{old}").status_code == 404
    assert ended(account, kept)["succeeded"] == 1


def test_a_list_of_many_is_pushed_without_passing_through_the_server(new_server: Any) -> None:
    server: Server = new_server()
    account = server.account()
    connect_builtin(account)
    id = push(account, 20_000)
    query = """select input->>'member_id' as id, input->'person'->>'full_name' as name from job_items
               where job_id = $1 and position = 19999"""
    row = server.query(query, id)[0]
    assert row["name"] == "M 19999" and row["id"].startswith("mem_")
    assert job(account, id)["total"] == 20_000
    account.client.post(f"/v1/jobs/{id}/cancel")
