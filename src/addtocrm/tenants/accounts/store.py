"""The SQL of accounts."""

from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.tenants.accounts.model import Account, Listed, Plan

COLUMNS = (
    "id, email, plan, available as credits_available, period_credits, period_start, period_end, created_at, "
    "suspended_at"
)


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


async def by_id(connection: Connection, id: str) -> Account | None:
    return _account(await connection.fetchrow(f"select {COLUMNS} from accounts where id = $1", id))


async def page(pool: Pool, search: str, before: str | None, limit: int) -> list[Listed]:
    """The newest accounts before the one with the id `before`: those that `search` begins the email of, or is the id
    of, or the email of a member of; all where it is empty."""
    chosen = """select id from accounts where ($2::text is null or id < $2)
                order by id desc limit $3"""
    if search:
        chosen = """select id from (
                        select id from accounts
                        where email collate "C" >= $4 and email collate "C" < $4 || chr(1114111)
                        union select id from accounts where id = $4
                        union select account_id from members where email = $4) as found
                    where ($2::text is null or id < $2) order by id desc limit $3"""
    rows = await pool.fetch(
        f"""select a.id, a.email, a.plan,
                   case when a.period_end > $1 then a.available else monthly_credits(a) end as credits_available,
                   case when a.period_end > $1 then a.period_credits else monthly_credits(a) end as period_credits,
                   a.suspended_at, a.created_at,
                   (select inserted from events e where e.account_id = a.id order by inserted desc limit 1) as active_at
            from ({chosen}) as chosen join accounts a using (id) order by id desc""",
        datetime.now(UTC),
        before,
        limit,
        *([search] if search else []),
    )
    return [Listed(**row) for row in rows]


async def set_suspended(connection: Connection, account_id: str, suspended: bool) -> None:
    await connection.execute(
        "update accounts set suspended_at = case when $2 then now() end where id = $1", account_id, suspended
    )


async def suspended(pool: Pool, ids: Sequence[str]) -> list[str]:
    rows = await pool.fetch("select id from accounts where id = any($1::text[]) and suspended_at is not null", ids)
    return [row["id"] for row in rows]


async def has_operator(connection: Connection, account_id: str) -> bool:
    return await connection.fetchval(
        "select exists (select from members where account_id = $1 and operator)", account_id
    )


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
    """How much less plans brought in this period than the account's plan does, where that decides."""
    return await connection.fetchval(
        """select case when custom_credits is null
                       then greatest(plan_credits(plan) - (period_credits - extra_credits), 0) else 0 end
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


async def add_extra(connection: Connection, account_id: str, credits: int) -> None:
    """Notes that so many credits of this period are beside the plan's."""
    await connection.execute(
        "update accounts set extra_credits = extra_credits + $2 where id = $1", account_id, credits
    )


def _account(row: asyncpg.Record | None) -> Account | None:
    return Account(**row) if row else None
