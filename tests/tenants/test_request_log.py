"""The request log: what each key asked for, kept without being in anybody's way."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import uuid_utils
from harness import Server, until, with_pool

from addtocrm.core import metrics
from addtocrm.tenants.keys import service as keys
from addtocrm.tenants.requests import service
from addtocrm.tenants.requests.model import Request, Wanted

KEPT = (
    "select id::text, method, path, status, error, credits, cached, key_id, lines from requests where account_id = $1"
)


def kept(server: Server, account_id: str, count: int) -> list[dict[str, Any]]:
    """The account's requests once there are so many, oldest first."""
    return until(
        lambda: (
            (rows := [dict(row) for row in server.query(f"{KEPT} order by id", account_id)])
            and len(rows) >= count
            and rows
        )
    )


def test_each_request_of_a_known_key_is_kept(server: Server) -> None:
    account = server.account()
    server.add_people("kept-example")
    reader = server.client(account.key(["read"]))
    answers = [
        account.enrich("kept-example"),
        account.enrich("kept-example"),
        account.enrich("kept-example"),
        account.client.get("/v1/crm/contacts?email=jane.doe@example.com"),
        account.client.get("/v1/lists/jane-doe"),
        account.client.get("/v1/people/jane-doe"),
        account.client.get("/v1//usage"),
        reader.post("/v1/lists", json={}),
        server.client().get("/v1/usage"),
    ]
    account.revoke()
    answers.append(until(lambda: (r := account.client.get("/v1/usage")).status_code == 401 and r))
    rows = kept(server, account.id, len(answers) - 1)
    told = {row["id"]: row for row in rows}
    seen = [told.get(answer.headers["x-request-id"]) for answer in answers]
    assert seen[8] is None
    assert [(row["method"], row["path"], row["error"], row["credits"], row["cached"]) for row in seen if row] == [
        ("POST", "/v1/people/enrich", None, 1, False),
        ("POST", "/v1/people/enrich", None, 0, True),
        ("POST", "/v1/people/enrich", None, 0, True),
        ("GET", "/v1/crm/contacts", "crm_not_connected", None, None),
        ("GET", "/v1/lists/{id}", "not_found", None, None),
        ("GET", "unknown", "not_found", None, None),
        ("GET", "unknown", "not_found", None, None),
        ("POST", "/v1/lists", "scope_required", None, None),
        ("GET", "/v1/usage", "key_revoked", None, None),
    ]
    assert [row["status"] for row in seen if row] == [
        answer.status_code for answer in answers if answer is not answers[8]
    ]
    assert "jane" not in str(rows)

    async def looked(pool: Any) -> None:
        counts = await service.by_status(pool, account.id)
        assert counts[account.key_id][2] >= 3 and counts[account.key_id][4] >= 4
        key = await keys.get(pool, account.id, account.key_id)
        assert key.last_used_at and key.last_used_at > datetime.now(UTC) - timedelta(minutes=10)
        working = await keys.in_use(pool, account.id, "read")
        assert [key.scopes for key in working] == [("read",)] and await keys.in_use(pool, account.id, "write") == []
        failed = await service.page(pool, account.id, Wanted(result="failed"), None, 2)
        assert failed.cursor and {one.error for one in failed.requests} <= {"key_revoked", "scope_required"}
        more = await service.page(pool, account.id, Wanted(result="failed"), failed.cursor, 50)
        assert {"not_found", "crm_not_connected"} <= {one.error for one in more.requests} and more.cursor is None
        lists = await service.page(pool, account.id, Wanted(path="/v1/lists", key_id=account.key_id), None, 50)
        assert [one.path for one in lists.requests] == ["/v1/lists/{id}"]

    with_pool(server.database_url, looked)


def test_what_was_answered_is_kept_at_sigterm_and_old_requests_go(new_server: Any) -> None:
    server = new_server(start=False, ADDTOCRM_REQUEST_DAYS="2")
    account = server.account()
    for days in (1, 3):
        server.query(
            """insert into requests (id, account_id, key_id, at, method, path, status, ms)
               select overlay(gen_random_uuid()::text placing substr(lpad(to_hex((extract(epoch from now()
                          - make_interval(days => $2)) * 1000)::bigint), 12, '0'), 1, 8) from 1 for 8)::uuid,
                      $1, 'key_old', now(), 'GET', '/v1/usage', 200, 1 from generate_series(1, 2500)""",
            account.id,
            days,
        )
    server.start()
    old = "select count(*) from requests where key_id = 'key_old'"
    until(lambda: server.query(old)[0][0] == 2500)
    ids = {account.client.get("/v1/usage").headers["x-request-id"] for _ in range(50)}
    assert server.stop() == 0
    assert ids <= {row["id"] for row in kept(server, account.id, 2550)}


def test_a_full_journal_lets_go_and_says_so(database_url: str) -> None:
    def request(number: int) -> Request:
        id = str(uuid_utils.uuid7())
        return Request(id, "acc_1", "key_1", datetime.now(UTC), "GET", "/v1/usage", 200, None, None, None, 1.0)

    async def run(pool: Any) -> int:
        journal = service.Journal(pool)
        for number in range(service.MOST_WAITING + 7):
            journal.add(request(number))
        await asyncio.gather(journal.write(), journal.write())
        return await pool.fetchval("select count(*) from requests")

    before = metrics.REQUESTS_NOT_KEPT._value.get()
    assert with_pool(database_url, run) == service.MOST_WAITING
    assert metrics.REQUESTS_NOT_KEPT._value.get() == before + 7


@pytest.mark.parametrize("end", ["the server", "the database"])
def test_what_is_being_written_when_one_of_them_ends_is_kept(database_url: str, end: str) -> None:
    async def run(pool: Any) -> int:
        journal = service.Journal(pool)
        id = str(uuid_utils.uuid7())
        journal.add(Request(id, "acc_1", "key_1", datetime.now(UTC), "GET", "/v1/usage", 200, None, None, None, 1.0))
        async with pool.acquire() as other, other.transaction():
            await other.execute("lock table requests in access exclusive mode")
            writing = asyncio.create_task(journal.write())
            waits = "select pid from pg_locks where relation = 'requests'::regclass and not granted"
            while not (pid := await other.fetchval(waits)):
                await asyncio.sleep(0.01)
            if end == "the server":
                writing.cancel()
            else:
                await other.execute("select pg_terminate_backend($1)", pid)
            await asyncio.gather(writing, return_exceptions=True)
        await journal.close()
        return await pool.fetchval("select count(*) from requests where id = $1::uuid", id)

    assert with_pool(database_url, run) == 1


def test_a_key_expires(server: Server) -> None:
    account = server.account()

    async def make(pool: Any) -> str:
        made = await keys.create(pool, account.email, ["read"], expires="2")
        assert made.expires_at is not None
        await pool.execute("update keys set expires_at = now() + interval '2 seconds' where id = $1", made.id)
        return made.key

    client = server.client(with_pool(server.database_url, make))
    answer = until(lambda: (r := client.get("/v1/usage")).status_code != 200 and r)
    assert answer.status_code == 401 and answer.json()["error"]["type"] == "key_revoked"
    assert "expired" in answer.json()["error"]["message"]
