"""The SQL of accounts."""

import asyncpg

from addtocrm.accounts.model import PLAN_CREDITS, Account, Plan
from addtocrm.db.pool import Connection

COLUMNS = "id, email, plan, available as credits_available, period_credits, period_start, period_end, created_at"


async def insert(
    connection: Connection, id: str, email: str, plan: Plan, custom_credits: int | None, password: str | None
) -> Account | None:
    """The new account with its first month granted, or None where the e-mail is taken."""
    credits = PLAN_CREDITS[plan] if custom_credits is None else custom_credits
    row = await connection.fetchrow(
        f"""insert into accounts (id, email, plan, custom_credits, password, available, period_credits,
                                  period_start, period_end)
            values ($1, $2, $3, $4, $5, $6, $6, now(), now() + interval '1 month')
            on conflict (email) do nothing returning {COLUMNS}""",
        id,
        email,
        plan,
        custom_credits,
        password,
        credits,
    )
    if row and credits:
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


async def roll_if_due(connection: Connection, account_id: str) -> Account:
    """The account, locked, in the period that contains now."""
    row = await connection.fetchrow(
        "select plan, period_end <= now() as due from accounts where id = $1 for no key update", account_id
    )
    assert row is not None
    if row["due"]:
        await connection.execute(
            """select credits_roll(a, coalesce(a.custom_credits, $2)) from accounts a where id = $1""",
            account_id,
            PLAN_CREDITS[row["plan"]],
        )
    account = _account(await connection.fetchrow(f"select {COLUMNS} from accounts where id = $1", account_id))
    assert account is not None
    return account


async def set_plan(connection: Connection, account_id: str, plan: Plan) -> None:
    await connection.execute("update accounts set plan = $2 where id = $1", account_id, plan)


async def has_custom_credits(connection: Connection, account_id: str) -> bool:
    return await connection.fetchval("select custom_credits is not null from accounts where id = $1", account_id)


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
