"""Jobs as a caller has them: made, waited for, and counted."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from harness import Account, Server, until

ENDED = ("completed", "failed", "cancelled")


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


def ended(account: Account, id: str, seconds: float = 90) -> dict[str, Any]:
    return until(lambda: (one := job(account, id))["status"] in ENDED and one, seconds)


def results(account: Account, id: str) -> list[dict[str, Any]]:
    return account.client.get(f"/v1/jobs/{id}/results", params={"limit": 1000}).json()["data"]


def keep_open(server: Server) -> None:
    """Every tenth item of the jobs to come is not due for an hour: however fast the others are done, none of these jobs
    ends by itself before `let_end`."""
    server.query(
        """create function keep_open() returns trigger language plpgsql as $$
           begin new.not_before = now() + interval '1 hour'; return new; end $$"""
    )
    server.query(
        """create trigger keep_open before insert on job_items for each row when (new.position % 10 = 0)
           execute function keep_open()"""
    )


def let_end(server: Server, account: Account, *ids: str) -> None:
    """Lets the jobs go on, also one that a process puts back just now, and waits for their ends."""

    def look() -> bool:
        server.query(
            """update job_items set not_before = now() where (job_id, position) in (
                   select job_id, position from job_items where status = 'pending' and not_before > now()
                   for update skip locked)"""
        )
        server.query("update jobs set due_at = now() where status = 'running' and instance is null and due_at > now()")
        return all(job(account, id)["status"] in ENDED for id in ids)

    until(look, 240)


@asynccontextmanager
async def writes_held(server: Server, beyond: int) -> AsyncIterator[None]:
    """While this lasts, no contact of `list_of` beyond that number is written."""
    connection = await asyncpg.connect(server.database_url)
    await connection.execute(
        f"""create function held_up() returns trigger language plpgsql as $$
            begin perform pg_advisory_xact_lock_shared(78, 0); return new; end $$;
            create trigger held_up before insert on crm_contacts for each row
            when (split_part(new.full_name, ' ', 2)::int > {beyond}) execute function held_up()"""
    )
    await connection.execute("select pg_advisory_lock(78, 0)")
    try:
        yield
    finally:
        await connection.close()


@asynccontextmanager
async def records_held(server: Server) -> AsyncIterator[None]:
    """While this lasts, what became of an item is not written."""
    connection = await asyncpg.connect(server.database_url)
    await connection.execute(
        """create function unrecorded() returns trigger language plpgsql as $$
           begin perform pg_advisory_xact_lock_shared(79, 0); return new; end $$;
           create trigger unrecorded before update of status on job_items for each row execute function unrecorded()"""
    )
    await connection.execute("select pg_advisory_lock(79, 0)")
    try:
        yield
    finally:
        await connection.close()


def until_held(server: Server) -> None:
    """Waits until a write is held up by `writes_held`."""
    waits = """select from pg_locks where locktype = 'advisory' and classid = 78 and not granted
               and database = (select oid from pg_database where datname = current_database())"""
    until(lambda: server.query(waits))


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
