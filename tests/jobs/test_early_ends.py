"""A job that is cancelled, or may not go on, ends with its final figures."""

import asyncio
import json
import os
import signal
import time
from typing import Any

import asyncpg
import pytest
from harness import Server, jobs_process, until, with_pool
from jobbing import (
    charges,
    counted,
    ended,
    enrich,
    job,
    keep_open,
    push,
    results,
    shown,
    until_done,
    until_held,
    verify,
    writes_held,
)
from world import WorldBeside

from addtocrm.core.caller import Caller
from addtocrm.jobs import store
from addtocrm.lookups.emails import batch
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.audit.model import By

SILENT = [f"p{number}@silent.test" for number in range(10)]
"""Whoever asks about them is at it for a while."""


def test_the_figures_of_a_cancelled_batch_are_final(new_server: Any, mail: WorldBeside) -> None:
    people = [f"p{number}@cancel.test" for number in range(100)]
    mail.server("cancel.test", mailboxes=set(people), delay=0.1)
    server: Server = new_server(**mail.environment)
    keep_open(server)
    account = server.account(credits=1000)
    id = verify(account, people)
    until_done(account, id)
    account.client.post(f"/v1/jobs/{id}/cancel")
    figures = ended(account, id)
    assert figures["status"] == "cancelled" and figures["succeeded"] < 100
    assert figures["credits_deducted"] == charges(account) == account.usage()["credits"]["used"]
    assert not server.query("select from holds where account_id = $1", account.id)
    assert shown(figures) == counted(account, id)
    time.sleep(2)
    assert job(account, id) == figures and charges(account) == figures["credits_deducted"]


def test_a_cancelled_push_wrote_what_it_says(new_server: Any) -> None:
    server: Server = new_server()
    account = server.account()
    account.connect_builtin()
    keep_open(server)
    id = push(account, 1000)
    until_done(account, id)
    account.client.post(f"/v1/jobs/{id}/cancel")
    figures = ended(account, id)
    assert figures["status"] == "cancelled" and 0 < figures["succeeded"] < 1000

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
    account.connect_builtin()

    async def cancel_while_held() -> str:
        async with writes_held(server, beyond=300):
            id = await asyncio.to_thread(push, account, 500)
            await asyncio.to_thread(until_done, account, id)
            await asyncio.to_thread(until_held, server)
            answer = await asyncio.to_thread(account.client.post, f"/v1/jobs/{id}/cancel")
            assert answer.json()["data"]["status"] == "running", "something is under way still"
            os.kill(await asyncio.to_thread(jobs_process, server), end)
            return id

    id = asyncio.run(cancel_while_held())
    figures = ended(account, id)
    assert figures["status"] == "cancelled"
    assert shown(figures) == counted(account, id)


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_the_job_of_a_key_that_ends_meanwhile_ends(new_server: Any, mail: WorldBeside, end: str) -> None:
    people = [f"p{number}@revoked.test" for number in range(100)] + SILENT
    mail.server("revoked.test", mailboxes=set(people), delay=0.1)
    mail.server("silent.test", silent=True)
    server: Server = new_server(**mail.environment)
    account = server.account(credits=1000)
    id = verify(account, people)
    until_done(account, id)
    if end == "revoked":
        account.revoke()
    else:
        server.query("update keys set expires_at = now() where id = $1 returning 1", account.key_id)
    account.client = server.client(account.key(["enrich", "read"]))
    figures = ended(account, id)
    assert figures["status"] == "failed" and end in figures["error"]
    assert 0 < figures["succeeded"] <= 100 and figures["credits_deducted"] == charges(account)
    assert shown(figures) == counted(account, id)
    assert sum(one["status"] == "succeeded" for one in results(account, id)) == figures["succeeded"]


def test_a_job_of_an_account_off_pro_ends(new_server: Any, mail: WorldBeside) -> None:
    """Also one that waits; and nothing is granted by what the plan was when the job was made."""
    people = [f"p{number}@plan.test" for number in range(100)] + SILENT
    mail.server("plan.test", mailboxes=set(people), delay=0.1)
    mail.server("silent.test", silent=True)
    mail.server("later.test", rcpt=lambda address: "451 4.7.1 Greylisted, try again in 300 seconds")
    server: Server = new_server(**mail.environment)
    account = server.account(credits=1000)
    waiting = verify(account, ["jane@later.test"])
    until(lambda: server.query("select from jobs where id = $1 and due_at > now() + interval '1 minute'", waiting))
    id = verify(account, people)
    until_done(account, id)
    account.set_plan("free")
    query = "select status, error, succeeded, credits_deducted from jobs where id = $1 and finished_at is not null"
    row = until(lambda: server.query(query, id))[0]
    assert row["status"] == "failed" and "Pro plan" in row["error"] and 0 < row["succeeded"] <= 100
    assert row["credits_deducted"] == charges(account)
    server.query("update jobs set due_at = now() where id = $1 returning 1", waiting)
    assert until(lambda: server.query(query, waiting))[0]["status"] == "failed"


def test_a_persons_job_ends_with_the_suspension_of_the_account(new_server: Any, mail: WorldBeside) -> None:
    mail.server("suspended.test", rcpt=lambda address: "451 4.7.1 Greylisted, try again in 300 seconds")
    server: Server = new_server(**mail.environment)
    account = server.account(credits=10)
    caller = Caller(account.id, "user:usr_1", "by hand")
    begun = with_pool(server.database_url, lambda pool: batch.submit(pool, caller, ["jane@suspended.test"]))
    query = "select status, error from jobs where id = $1 and "
    until(lambda: server.query(f"{query} due_at > now() + interval '1 minute'", begun.id))
    with_pool(server.database_url, lambda pool: accounts.suspend(pool, account.email, By(reason="spam")))
    server.query("update jobs set due_at = now() where id = $1 returning 1", begun.id)
    row = until(lambda: server.query(f"{query} finished_at is not null", begun.id))[0]
    assert row["status"] == "failed" and "suspended" in row["error"]
    assert not server.query("select from holds where account_id = $1", account.id)


def test_a_job_that_is_cancelled_as_it_is_given_back_ends(new_server: Any) -> None:
    server: Server = new_server()
    keep_open(server)
    slugs = [f"back-{number}-example" for number in range(10)]
    server.add_people(*slugs)
    account = server.account(credits=100)
    id = enrich(account, [f"linkedin.com/in/{slug}" for slug in slugs])
    until(lambda: server.query("select from jobs where instance is null and due_at > now() + interval '10 minutes'"))
    waits = """select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()
               and query like '%{}%'"""

    async def run() -> None:
        items, canceller = [await asyncpg.connect(server.database_url) for _ in range(2)]
        held, cancelled = items.transaction(), canceller.transaction()
        await held.start()
        await items.execute("lock table job_items in access exclusive mode")
        await asyncio.to_thread(server.query, "update jobs set due_at = now()")
        await asyncio.to_thread(until, lambda: server.query(waits.format("job_items")))
        await cancelled.start()
        caller = json.dumps({"account_id": account.id, "actor": "operator", "request_id": "r"})
        assert await store.cancel(canceller, account.id, id, caller) is False
        await store.notify(canceller, id)
        await held.commit()
        await asyncio.to_thread(until, lambda: server.query(waits.format("set instance = null")))
        await cancelled.commit()
        for connection in (items, canceller):
            await connection.close()

    asyncio.run(run())
    assert ended(account, id)["status"] == "cancelled"
