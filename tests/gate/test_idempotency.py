"""Idempotency-Key: once, whatever is repeated, at once or after a crash."""

import asyncio
from typing import Any

import pytest
from harness import Account, Server

from addtocrm.core.db.pool import open_pool
from addtocrm.core.idempotency import store


@pytest.fixture
def account(server: Server) -> Account:
    return server.account()


def create(account: Account, key: str, name: str = "Once") -> Any:
    return account.client.post("/v1/lists", json={"name": name}, headers={"idempotency-key": key})


def test_replayed(account: Account) -> None:
    first, again = create(account, "k1"), create(account, "k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert len(account.client.get("/v1/lists").json()["data"]) == 1
    assert create(account, "k2").json()["data"]["id"] != first.json()["data"]["id"]


def test_another_body_or_path_is_refused(account: Account) -> None:
    create(account, "k1")
    for response in (
        create(account, "k1", "Other"),
        account.client.post("/v1/people/enrich", json={"name": "Once"}, headers={"idempotency-key": "k1"}),
    ):
        assert response.status_code == 400
        assert response.json()["error"]["details"][0]["path"] == "Idempotency-Key"


def test_at_once_runs_once(account: Account) -> None:
    async def run() -> list[Any]:
        async with account.server.async_client(account.token) as client:
            return await asyncio.gather(
                *(client.post("/v1/lists", json={"name": "A"}, headers={"idempotency-key": "k"}) for _ in range(50))
            )

    answers = asyncio.run(run())
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert len(account.client.get("/v1/lists").json()["data"]) == 1


def test_a_refused_request_does_not_use_the_key_up(account: Account) -> None:
    refused = account.client.post("/v1/lists", json={"name": ""}, headers={"idempotency-key": "k"})
    assert refused.status_code == 400
    assert create(account, "k").status_code == 201


def test_keys_of_others_never_meet(server: Server, account: Account) -> None:
    other = server.account()
    assert create(account, "same").json()["data"]["id"] != create(other, "same").json()["data"]["id"]


@pytest.mark.parametrize("key", ["x" * 256, "a\tb"])
def test_bad_keys(account: Account, key: str) -> None:
    assert create(account, key).status_code == 400


def test_after_a_crash_the_key_is_free_again(new_server: Any) -> None:
    server: Server = new_server()
    account = server.account()
    server.query(
        """insert into idempotency (owner, key, fingerprint, instance)
           values ($1, 'k', '\\x00', 12345) returning key""",
        account.key_id,
    )
    assert create(account, "k").status_code == 400
    server.query("""delete from idempotency returning key""")
    first = create(account, "k")
    server.query("update idempotency set status = null, instance = 12345 returning key")
    again = create(account, "k")
    assert (first.status_code, again.status_code) == (201, 201)
    assert "idempotent-replayed" not in again.headers


def test_what_one_host_could_not_finish_goes_on_at_another(new_server: Any) -> None:
    one: Server = new_server()
    two: Server = new_server(one.database_url)
    account = one.account()
    one.query(
        """create function no_answer() returns trigger language plpgsql as $$
           begin raise exception 'the answer is not stored'; end $$"""
    )
    one.query(
        """create trigger no_answer before update on idempotency
           for each row when (new.status is not null) execute function no_answer()"""
    )
    assert create(account, "k").status_code == 500
    one.query("drop trigger no_answer on idempotency")
    account.client = two.client(account.token)
    again = create(account, "k")
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert len(account.client.get("/v1/lists").json()["data"]) == 1


def test_a_key_that_is_let_go_as_its_work_is_kept_is_anybodys(database_url: str) -> None:
    """Its next try goes on with it, on whichever host."""

    async def run() -> None:
        pool = await open_pool(database_url, size=4)
        once = await store.claim(pool, "key_1", "key", b"fingerprint", 11)
        assert once
        async with pool.acquire() as connection, connection.transaction():
            assert await store.keep(connection, once, '{"id": "x"}', None)
            letting_go = asyncio.create_task(store.free(pool, once))
            waits = "select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
            while not await pool.fetch(waits):
                await asyncio.sleep(0.02)
        await letting_go
        again = await store.claim(pool, "key_1", "key", b"fingerprint", 12)
        assert again and again.outcome == b'{"id": "x"}'
        await pool.close()

    asyncio.run(run())
