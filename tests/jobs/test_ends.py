"""A job goes on after any end of any process, and is taken over from a dead host."""

import asyncio
import json
import os
import signal
from importlib import import_module
from typing import Any

import pytest
from harness import Server, jobs_process, until, with_pool
from jobbing import (
    charges,
    counted,
    ended,
    enrich,
    job,
    keep_open,
    let_end,
    push,
    records_held,
    results,
    shown,
    until_done,
    verify,
    writes_held,
)
from world import WorldBeside


@pytest.mark.parametrize("end", ["SIGTERM", "SIGKILL", "SIGTERM of the jobs process", "SIGKILL of the jobs process"])
def test_every_job_goes_on_after_any_end(new_server: Any, mail: WorldBeside, end: str) -> None:
    people = [f"p{number}@term.test" for number in range(60)]
    mail.server("term.test", mailboxes=set(people), delay=0.05)
    server: Server = new_server(**mail.environment)
    slugs = [f"term-{number}-example" for number in range(800)]
    server.add_people(*slugs)
    account = server.account(credits=10_000)
    account.connect_builtin()
    keep_open(server)
    batch, pushed = enrich(account, [f"linkedin.com/in/{slug}" for slug in slugs]), push(account, 600)
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
    let_end(server, account, batch, pushed, verified)
    for id, items in ((batch, 800), (pushed, 600), (verified, 60)):
        figures = job(account, id)
        assert (figures["status"], figures["total"], figures["succeeded"]) == ("completed", items, items)
        assert shown(figures) == counted(account, id)
    contacts = server.query("select count(*)::int as n from crm_contacts where account_id = $1", account.id)
    assert contacts[0]["n"] == 600
    assert charges(account) == 860
    assert [job(account, id)["credits_deducted"] for id in (batch, pushed, verified)] == [800, 0, 60]
    assert [event["type"] for event in account.events()].count("job.completed") == 3


def test_jobs_of_another_host_are_taken_over(new_server: Any) -> None:
    """Two hosts carry the jobs of one account; the one that dies loses none."""
    first: Server = new_server()
    second: Server = new_server(first.database_url)
    account = first.account()
    account.connect_builtin()
    carriers = "select count(distinct instance)::int as n from jobs where status = 'running'"

    async def submit_and_kill() -> list[str]:
        async with writes_held(first, beyond=0):
            ids = [await asyncio.to_thread(push, account, 3) for _ in range(40)]
            await asyncio.to_thread(until, lambda: first.query(carriers)[0]["n"] == 2)
            second.kill()
            return ids

    for id in asyncio.run(submit_and_kill()):
        assert ended(account, id)["succeeded"] == 3
    assert first.query("select count(*)::int as n from crm_contacts")[0]["n"] == 3


@pytest.mark.parametrize("refresh", [False, True])
def test_what_was_paid_just_before_a_kill_is_told(new_server: Any, refresh: bool) -> None:
    """The process dies between the charges of three items and the record of what became of them."""
    server: Server = new_server()
    server.add_people("paid-1-example", "paid-2-example", "paid-3-example", "known-example")
    account = server.account(credits=10)
    account.client.post("/v1/people/enrich", json={"linkedin_url": "linkedin.com/in/known-example"})
    slugs = ["paid-1-example", "paid-2-example", "paid-3-example", *([] if refresh else ["known-example"])]

    async def submit_and_kill() -> str:
        async with records_held(server):
            id = await asyncio.to_thread(
                enrich, account, [{"linkedin_url": f"linkedin.com/in/{slug}", "refresh": refresh} for slug in slugs]
            )
            await asyncio.to_thread(until, lambda: charges(account) == 4)
            server.kill()
            return id

    id = asyncio.run(submit_and_kill())
    server.start()
    assert ended(account, id)["credits_deducted"] == 3
    told = [(one["credits_deducted"], one["cached"]) for one in results(account, id)]
    assert told == [(1, False)] * 3 + [(0, True)] * (not refresh)
    assert charges(account) == 4


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
    upgrade = import_module("addtocrm.core.db.migrations.versions.0010_jobs")
    with_pool(server.database_url, lambda pool: pool.execute(f"{upgrade.JOBS} {upgrade.NO_DBOS}"))
    server.start()
    query = "select status, succeeded, failed, pending, credits_deducted, scope from jobs where status = 'completed'"
    row = until(lambda: server.query(query))[0]
    assert tuple(row) == ("completed", 2, 1, 0, 2, "enrich")
    assert not server.query("select from pg_namespace where nspname = 'dbos'")
