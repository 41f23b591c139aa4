"""The SQL of accounts."""

import asyncpg

from addtocrm.core.db.pool import Connection
from addtocrm.tenants.accounts.model import Account, Plan

COLUMNS = "id, email, plan, available as credits_available, period_credits, period_start, period_end, created_at"


async def insert(connection: Connection, id: str, email: str, plan: Plan, custom_credits: int | None) -> Account | None:
    """The new account with its first month granted, or None where the e-mail is taken."""
    row = await connection.fetchrow(
        f"""insert into accounts (id, email, plan, custom_credits, available, period_credits,
                                  period_start, period_end)
            select $1, $2, $3, $4, credits, credits, now(), now() + interval '1 month'
            from coalesce($4, plan_credits($3)) as credits
            on conflict (email) do nothing returning {COLUMNS}""",
        id,
        email,
        plan,
        custom_credits,
    )
    if row and row["credits_available"]:
        await connection.execute(
            """insert into ledger (id, account_id, kind, amount, period_start)
               select new_id('led'), id, 'grant', available, period_start from accounts where id = $1""",
            id,
        )
    return _account(row)


async def by_email(connection: Connection, email: str) -> Account | None:
    return _account(await connection.fetchrow(f"select {COLUMNS} from accounts where email = $1", email.lower()))


async def emails(connection: Connection, limit: int) -> list[str]:
    """The addresses of the first accounts."""
    rows = await connection.fetch("select email from accounts order by id limit $1", limit)
    return [row["email"] for row in rows]


async def lock(connection: Connection, account_id: str) -> Account:
    """The account in the period that contains now, its row locked."""
    account = _account(await connection.fetchrow(f"select {COLUMNS} from credits_lock($1)", account_id))
    assert account is not None
    return account


async def set_plan(connection: Connection, account_id: str, plan: Plan) -> None:
    await connection.execute("update accounts set plan = $2 where id = $1", account_id, plan)


async def missing_credits(connection: Connection, account_id: str) -> int:
    """How much less this period has in all than the account's plan, where that decides."""
    return await connection.fetchval(
        """select case when custom_credits is null then greatest(plan_credits(plan) - period_credits, 0) else 0 end
           from accounts where id = $1""",
        account_id,
    )


async def set_custom_credits(connection: Connection, account_id: str, credits: int) -> None:
    await connection.execute("update accounts set custom_credits = $2 where id = $1", account_id, credits)


async def adjust(connection: Connection, account: Account, amount: int) -> None:
    """Adds `amount` (may be negative) to what is left of this period, with its ledger row."""
    if amount == 0:
        return
    await connection.execute(
        """update accounts set available = available + $2, period_credits = period_credits + $2, warned = 0
           where id = $1""",
        account.id,
        amount,
    )
    await connection.execute(
        """insert into ledger (id, account_id, kind, amount, period_start)
           values (new_id('led'), $1, 'adjust', $2, $3)""",
        account.id,
        amount,
        account.period_start,
    )


def _account(row: asyncpg.Record | None) -> Account | None:
    return Account(**row) if row else None
