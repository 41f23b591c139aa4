"""Who may pass: keys, scopes, plans, and guesses."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from harness import Account, Server, early_in_a_minute, until, with_pool
from refusals import refused

from addtocrm.core.db.pool import Pool
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.keys import service, store
from addtocrm.tenants.keys.service import KeyRing
from addtocrm.tenants.keys.token import checksum

BODY = "0" * 30
WELL_FORMED = f"addtocrm_live_{BODY}" + checksum(f"addtocrm_live_{BODY}")


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Basic abc",
        "Bearer nonsense",
        f"Bearer {WELL_FORMED}",
        f"Bearer {WELL_FORMED[:-1]}x",
        "Bearer addtocrm_live_" + "é" * 36,
        "Bearer " + "a" * 5000,
    ],
)
def test_without_a_known_key(server: Server, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization.encode("latin-1")}
    response = server.client().get("/v1/usage", headers=headers)
    refused(response, 401, "invalid_auth")
    assert response.headers["www-authenticate"] == "Bearer"


def test_scopes(server: Server, account: Account) -> None:
    reader = server.client(account.key(["read"]))
    error = refused(reader.post("/v1/people/enrich", json={"bad": 1}), 403, "scope_required")
    assert "`enrich`" in error["message"]
    assert reader.get("/v1/events").status_code == 200
    assert reader.get("/v1/usage").status_code == 200
    writer = server.client(account.key(["enrich"]))
    assert "`read`" in refused(writer.get("/v1/events"), 403, "scope_required")["message"]


def test_a_hot_answer_still_needs_the_scope(server: Server, account: Account) -> None:
    body = {"linkedin_url": "https://www.linkedin.com/in/gate-example"}
    for _ in range(2):
        assert account.client.post("/v1/people/enrich", json=body).status_code == 200
    reader = server.client(account.key(["read"]))
    refused(reader.post("/v1/people/enrich", json=body), 403, "scope_required")


def test_revoked(server: Server) -> None:
    account = server.account()
    assert account.client.get("/v1/usage").status_code == 200
    account.revoke()
    response = until(lambda: (r := account.client.get("/v1/usage")).status_code != 200 and r)
    refused(response, 401, "key_revoked")
    assert [event["type"] for event in server_events(server, account)] == ["key.created", "key.revoked"]


def server_events(server: Server, account: Account) -> list[dict[str, Any]]:
    until(lambda: not server.query("select from events_outbox where account_id = $1", account.id))
    rows = server.query("select type from events where account_id = $1 order by inserted, id", account.id)
    return [dict(row) for row in rows]


def test_off_pro_and_back(server: Server) -> None:
    account = server.account()
    assert account.client.get("/v1/usage").status_code == 200
    account.set_plan("free")
    response = until(lambda: (r := account.client.get("/v1/usage")).status_code != 200 and r)
    refused(response, 403, "key_suspended_plan")
    account.set_plan("pro")
    until(lambda: account.client.get("/v1/usage").status_code == 200)
    types = [event["type"] for event in account.events()]
    assert types == ["key.created", "key.suspended", "key.reactivated"]


def test_guessing_keys_is_slow(new_server: Any) -> None:
    server = new_server(ADDTOCRM_RATE_PER_MINUTE="10", ADDTOCRM_RATE_PER_HOUR="10")
    account = server.account(rate_per_minute=1000, rate_per_hour=1000)
    guesser = server.client(WELL_FORMED)
    early_in_a_minute()
    statuses = [guesser.get("/v1/usage").status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert account.client.get("/v1/usage").status_code == 200


def commits(server: Server) -> int:
    """Transactions of the server's database so far."""
    return server.query("select xact_commit from pg_stat_database where datname = current_database()")[0][0]


def test_guesses_of_a_spent_address_share_their_queries(new_server: Any) -> None:
    server: Server = new_server(ADDTOCRM_RATE_PER_MINUTE="10", ADDTOCRM_RATE_PER_HOUR="10")
    account = server.account()

    def guess(number: int) -> str:
        body = f"addtocrm_live_{number:030}"
        return body + checksum(body)

    async def storm() -> tuple[list[int], int]:
        async with server.async_client() as client:

            async def status(token: str) -> int:
                return (await client.get("/v1/usage", headers={"authorization": f"Bearer {token}"})).status_code

            guesses = [asyncio.create_task(status(guess(number))) for number in range(1000)]
            known = await status(account.token)
            return await asyncio.gather(*guesses), known

    early_in_a_minute()
    for number in range(10):
        server.client(guess(2000 + number)).get("/v1/usage")
    before = commits(server)
    statuses, known = asyncio.run(storm())
    assert (set(statuses), known) == ({429}, 200)
    assert server.stop() == 0
    others = "select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    until(lambda: not server.query(others))  # what a connection did is counted at its end at the latest
    assert commits(server) - before < 1000  # with those of the server's own, of which a slow machine has more


def test_a_thousand_guesses_are_one_query(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    principals = store.principals

    async def counted(pool: Pool, hashes: Sequence[bytes]) -> Any:
        asked.append(len(hashes))
        return await principals(pool, hashes)

    async def work(pool: Pool) -> None:
        ring = KeyRing(pool, 60, 1000)
        guesses = [f"addtocrm_live_{number:036}" for number in range(1000)]
        assert await asyncio.gather(*map(ring.find_with_others, guesses)) == [None] * 1000

    monkeypatch.setattr(store, "principals", counted)
    with_pool(database_url, work)
    assert asked == [1000]


@pytest.mark.parametrize("refusal", ["key_revoked", "key_suspended_plan"])
def test_a_key_that_may_nothing_is_limited_by_address(new_server: Any, refusal: str) -> None:
    server: Server = new_server(ADDTOCRM_RATE_PER_MINUTE="10")
    account = server.account()
    if refusal == "key_revoked":
        account.revoke()
    else:
        account.set_plan("free")
    early_in_a_minute()
    answers = [account.client.get("/v1/usage") for _ in range(50)]
    refused(answers[0], 401 if refusal == "key_revoked" else 403, refusal)
    assert [answer.json()["error"]["type"] for answer in answers] == [refusal] * 10 + ["rate_limit_minute"] * 40
    refused(answers[-1], 429, "rate_limit_minute")
    assert server.account().client.get("/v1/usage").status_code == 200, "a key that is good is not concerned"
    server.stop()
    kept = server.query("select error, count(*)::int as n from requests where account_id = $1 group by 1", account.id)
    assert dict(kept) == {refusal: 10, "rate_limit_minute": 10}


def test_what_is_told_of_an_account_concerns_its_keys_alone(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        ring = KeyRing(pool, 60, 1000)
        tokens: dict[str, list[str]] = {}
        for name in ("one", "other"):
            email = f"{name}@example.com"
            account = await accounts.create(pool, email, plan="pro")
            tokens[account.id] = [(await service.create(pool, email, ["read"])).key for _ in range(2)]
        one, other = tokens
        for token in [*tokens[one], *tokens[other]]:
            assert await ring.find(token)
        ring.forget(one)
        assert not any(map(ring.has_met, tokens[one]))
        assert all(map(ring.has_met, tokens[other]))

    with_pool(database_url, work)
