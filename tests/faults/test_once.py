"""Killed after the commit and before the answer is stored: a retry with the same Idempotency-Key does nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from harness import Account, Server, until
from world import WorldBeside

PERSON = {"linkedin_url": "https://www.linkedin.com/in/once-contact", "full_name": "Once Contact"}
LOCK = 77
STOP_BEFORE_THE_ANSWER = f"""
create function stop_before_the_answer() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared({LOCK}, 0);
    return new;
end $$;
create trigger stop_before_the_answer before update on idempotency
    for each row when (new.status is not null) execute function stop_before_the_answer();
"""
STOPPED = """select pid from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock' and wait_event = 'advisory'"""
TABLES = ("ledger", "lists", "list_members", "jobs", "crm_contacts", "crm_companies", "crm_notes", "crm_tasks")


@pytest.fixture
def mail() -> Iterator[WorldBeside]:
    world = WorldBeside()
    world.server("once.test", mailboxes={"jane@once.test", "jane.roe@once.test"})
    yield world
    world.close()


def counts(server: Server) -> dict[str, int]:
    """What was done: rows of each table, and events of each type (those of jobs come later)."""
    found = {table: server.query(f"select count(*)::int as n from {table}")[0]["n"] for table in TABLES}
    events = server.query(
        """select type, count(*)::int as n from (select type from events union all select type from events_outbox) e
           where type not like 'job.%' group by type"""
    )
    return found | {row["type"]: row["n"] for row in events}


def requests(account: Account) -> dict[str, tuple[int, dict[str, Any]]]:
    """Every POST that there is, with the status of its first answer."""
    client = account.client
    contact = client.post("/v1/crm/contacts", json={"person": {"full_name": "There Already"}}).json()["data"]
    filled = client.post("/v1/lists", json={"name": "Filled"}).json()["data"]["id"]
    empty = client.post("/v1/lists", json={"name": "Empty"}).json()["data"]["id"]
    job = client.post("/v1/batch/people-enrich", json={"items": ["nobody"]}).json()["data"]["id"]
    until(lambda: client.get(f"/v1/jobs/{job}").json()["data"]["status"] == "completed", 60)
    return {
        "/v1/people/enrich": (200, {"linkedin_url": "linkedin.com/in/once-example", "refresh": True}),
        "/v1/companies/lookup": (200, {"domain": "once.example.com", "refresh": True}),
        "/v1/emails/verify": (200, {"email": "jane@once.test", "refresh": True}),
        "/v1/emails/find": (
            200,
            {"first_name": "Jane", "last_name": "Roe", "domain": "once.test", "refresh": True},
        ),
        "/v1/batch/people-enrich": (202, {"items": ["nobody"]}),
        "/v1/batch/companies-lookup": (202, {"items": ["nobody.example.com"]}),
        "/v1/batch/emails-verify": (202, {"items": ["no address"]}),
        "/v1/crm/contacts": (201, {"person": PERSON, "note": "Met once."}),
        "/v1/crm/companies": (201, {"company": {"name": "Once", "domain": "once.example.com"}}),
        "/v1/crm/notes": (201, {"contact_id": contact["contact_id"], "text": "Once."}),
        "/v1/crm/tasks": (201, {"contact_id": contact["contact_id"], "title": "Once"}),
        "/v1/lists": (201, {"name": "Once"}),
        f"/v1/lists/{filled}/members": (201, {"people": [PERSON]}),
        f"/v1/lists/{empty}/push": (202, {}),
        f"/v1/jobs/{job}/cancel": (200, {}),
    }


async def post_all_and_kill(server: Server, account: Account, asked: dict[str, tuple[int, dict[str, Any]]]) -> None:
    """Sends all of them, waits until each has committed and would store its answer, and kills the server there."""
    control = await asyncpg.connect(server.database_url)
    await control.execute(STOP_BEFORE_THE_ANSWER)
    await control.execute("select pg_advisory_lock($1, 0)", LOCK)
    async with server.async_client(account.token) as client:
        sent = [
            asyncio.create_task(client.post(path, json=body, headers={"idempotency-key": path}))
            for path, (_, body) in asked.items()
        ]
        async with asyncio.timeout(90):
            while len(stopped := await control.fetch(STOPPED)) < len(asked):
                assert not any(task.done() for task in sent), [task.result().text for task in sent if task.done()]
                await asyncio.sleep(0.05)
        await asyncio.to_thread(server.kill)
        await asyncio.gather(*sent, return_exceptions=True)
    for row in stopped:
        await control.execute("select pg_terminate_backend($1, 5000)", row["pid"])
    await control.execute("drop trigger stop_before_the_answer on idempotency")
    await control.close()


def test_killed_before_the_answer_is_stored(new_server: Any, mail: WorldBeside) -> None:
    server: Server = new_server(**mail.environment)
    server.add_people("once-example")
    server.query(
        """insert into companies (id, identity, domain, data)
           values ('com_once', 'do:once.example.com', 'once.example.com', '{"domain": "once.example.com"}')
           returning id"""
    )
    account = server.account(credits=100)
    account.connect_builtin()
    asked = requests(account)
    asyncio.run(post_all_and_kill(server, account, asked))
    assert not server.query("select from idempotency where status is not null")
    done = counts(server)
    server.start()

    def retry(path: str, body: dict[str, Any]) -> Any:
        return account.client.post(path, json=body, headers={"idempotency-key": path})

    retries = {path: retry(path, body) for path, (_, body) in asked.items()}
    assert {path: answer.status_code for path, answer in retries.items()} == {
        path: status for path, (status, _) in asked.items()
    }
    assert counts(server) == done
    for path, answer in retries.items():
        replayed = retry(path, asked[path][1])
        assert (replayed.content, replayed.headers["idempotent-replayed"]) == (answer.content, "true"), path
        if not path.endswith("/cancel"):
            assert answer.headers["idempotent-replayed"] == "true", path
    for path in ("/v1/people/enrich", "/v1/companies/lookup", "/v1/emails/verify", "/v1/emails/find"):
        answer = retries[path].json()
        assert (answer["cached"], answer["credits_deducted"]) == (False, 1), path
    assert retries["/v1/crm/contacts"].json()["data"]["action"] == "created"
    assert account.usage()["credits"]["used"] == 4
    refused = account.client.post("/v1/lists", json={"name": "Other"}, headers={"idempotency-key": "/v1/lists"})
    assert refused.status_code == 400


WAITS_FOR = """select exists (select from pg_locks where not granted and relation = $1::text::regclass
    and database = (select oid from pg_database where datname = current_database()))"""


@asynccontextmanager
async def making_a_list(server: Server, account: Account, locked: str) -> AsyncIterator[Any]:
    """A `POST /v1/lists` with the key `k` that waits for a lock on a table, its answer to come, and the connection and
    transaction that hold the lock."""
    control = await asyncpg.connect(server.database_url)
    transaction = control.transaction()
    await transaction.start()
    await control.execute(f"lock table {locked} in exclusive mode")
    async with server.async_client(account.token) as client:
        sent = asyncio.create_task(client.post("/v1/lists", json={"name": "Once"}, headers={"idempotency-key": "k"}))
        async with asyncio.timeout(90):
            while not await control.fetchval(WAITS_FOR, locked):
                await asyncio.sleep(0.05)
        yield sent, control, transaction
    await control.close()


def test_killed_before_the_commit(new_server: Any) -> None:
    """Nothing was done: the retry does it."""
    server: Server = new_server()
    account = server.account()

    async def stop_and_kill() -> None:
        async with making_a_list(server, account, "events_outbox") as (sent, control, transaction):
            await asyncio.to_thread(server.kill)
            await asyncio.gather(sent, return_exceptions=True)
            await control.execute(
                """select pg_terminate_backend(pid, 5000) from pg_locks where not granted and locktype = 'relation'
                   and database = (select oid from pg_database where datname = current_database())"""
            )
            await transaction.rollback()

    asyncio.run(stop_and_kill())
    assert not server.query("select from lists")
    server.start()
    again = account.client.post("/v1/lists", json={"name": "Once"}, headers={"idempotency-key": "k"})
    assert again.status_code == 201
    assert "idempotent-replayed" not in again.headers
    assert len(server.query("select from lists")) == 1


def test_what_was_taken_over_does_not_commit(server: Server) -> None:
    """A process that was thought dead (its liveness lock was lost) comes back to find its request another's."""
    account = server.account()

    async def run() -> int:
        async with making_a_list(server, account, "lists") as (sent, control, transaction):
            await control.execute("update idempotency set instance = 12345 where owner = $1", account.key_id)
            await transaction.commit()
            return (await sent).status_code

    assert asyncio.run(run()) == 500
    assert account.client.get("/v1/lists").json()["data"] == []
