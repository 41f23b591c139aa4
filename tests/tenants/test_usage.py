"""What an account has used: told at once, whatever is under way, and at a cost that does not grow with the ledger."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import asyncpg
from harness import Server, with_pool

from addtocrm.core.db.pool import Pool
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.usage import service, store
from addtocrm.tenants.usage.model import LedgerFilter


def charge(url: str, account_id: str, charges: int) -> None:
    """Adds charges to the account's ledger, some in each transaction."""

    async def insert(pool: Pool) -> None:
        for begun in range(0, charges, 200):
            await pool.execute(
                """insert into ledger (id, account_id, kind, amount, operation, request_id, period_start)
                   select new_id('led'), a.id, 'charge', -1,
                          case n % 2 when 0 then 'people.enrich' else 'emails.find' end, 'request', a.period_start
                   from accounts a, generate_series(1, $2) n where a.id = $1""",
                account_id,
                min(200, charges - begun),
            )
        await pool.execute("vacuum analyze usage")
        await pool.execute("analyze ledger")

    with_pool(url, insert)


def test_it_waits_for_nobody(server: Server) -> None:
    """A look-up, or any other transaction, has the account's row locked and changed."""
    account = server.account(credits=10)

    async def run() -> Any:
        other = await asyncpg.connect(server.database_url)
        transaction = other.transaction()
        await transaction.start()
        await other.execute("update accounts set available = available - 1 where id = $1", account.id)
        try:
            return await asyncio.to_thread(account.client.get, "/v1/usage")
        finally:
            await transaction.commit()
            await other.close()

    answer = asyncio.run(run())
    assert answer.status_code == 200
    assert answer.json()["data"]["credits"]["remaining"] == 10


def test_it_is_told_beside_look_ups(server: Server) -> None:
    slugs = [f"beside-{number}-example" for number in range(150)]
    server.add_people(*slugs)
    account = server.account(credits=1000)

    async def run() -> tuple[Sequence[Any], Sequence[Any]]:
        async with server.async_client(account.token) as client:
            asked = [
                client.post("/v1/people/enrich", json={"linkedin_url": f"linkedin.com/in/{slug}"}) for slug in slugs
            ]
            told = [client.get("/v1/usage") for _ in slugs]
            mixed = [one for pair in zip(asked, told, strict=True) for one in pair]
            answers = await asyncio.gather(*mixed)
            return answers[::2], answers[1::2]

    asked, told = asyncio.run(run())
    assert {answer.status_code for answer in [*asked, *told]} == {200}
    for answer in told:
        usage = answer.json()["data"]
        credits = usage["credits"]
        assert credits["used"] + credits["held"] + credits["remaining"] == credits["limit"] == 1000
        for part in ("by_operation", "by_key", "by_day"):
            assert sum(one["credits"] for one in usage[part]) == credits["used"]
    assert account.usage()["credits"] == {"limit": 1000, "used": 150, "held": 0, "remaining": 850, "monthly": 1000}


def test_a_due_period_begins(server: Server) -> None:
    account = server.account(credits=7)
    server.query(
        """update accounts set anchor = anchor - interval '40 days', period_start = period_start - interval '40 days',
                  period_end = period_end - interval '40 days', available = 3 where id = $1 returning id""",
        account.id,
    )
    charge(server.database_url, account.id, 4)
    assert account.usage()["credits"] == {"limit": 7, "used": 0, "held": 0, "remaining": 7, "monthly": 7}
    ledger = server.query("select sum(amount)::int as n from ledger where account_id = $1", account.id)
    assert ledger[0]["n"] == 7


def test_its_cost_does_not_grow_with_the_ledger(database_url: str) -> None:
    account = with_pool(database_url, lambda pool: accounts.create(pool, "many@example.com", "pro", 100_000))
    told = ((store.ACCOUNT, [account.id]), (store.CHARGES, [account.id, account.period_start]))
    rare = LedgerFilter(actor="operator", operation="emails.verify")
    wanted = (LedgerFilter(), rare, LedgerFilter(actor="operator"), LedgerFilter(operation="emails.verify"))
    lines = [store.ledger_query(account.id, one, None, 50) for one in wanted]

    async def pages(pool: Pool) -> tuple[int, int]:
        """How many the statements of GET /v1/usage look at, and those of pages of the ledger."""
        await pool.execute("vacuum")  # of what was updated while another's snapshot was there
        looked = [0, 0]
        for place, statements in enumerate((told, lines)):
            for statement, values in statements:
                plan = json.loads(await pool.fetchval(f"explain (analyze, buffers, format json) {statement}", *values))
                looked[place] += plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
        return looked[0], looked[1]

    charge(database_url, account.id, 2_000)
    few, few_lines = with_pool(database_url, pages)
    charge(database_url, account.id, 18_000)
    many, many_lines = with_pool(database_url, pages)
    usage = with_pool(database_url, lambda pool: service.of_account(pool, account.id))
    assert [one.credits for one in usage.by_operation] == [10_000, 10_000]
    assert many <= few + 5
    assert many_lines <= few_lines + 40  # four statements, of 18,000 lines more
