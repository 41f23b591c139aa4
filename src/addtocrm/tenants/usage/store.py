"""The SQL of usage."""

import asyncpg

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.tenants.usage.model import LedgerLine

ACCOUNT = """select plan, period_credits, available, period_start, period_end, period_end <= now() as due,
                    monthly_credits(a) as monthly,
                    (select count(*) from holds h
                     where h.account_id = a.id and h.period_start = a.period_start) as held
             from accounts a where id = $1"""

CHARGES = """select u.day, u.operation, u.key_id, k.name, sum(u.credits)::bigint as credits
             from usage u left join keys k on k.id = u.key_id
             where u.account_id = $1 and u.period_start = $2
             group by u.day, u.operation, u.key_id, k.name
             order by u.key_id nulls last"""


async def account(connection: Connection, account_id: str) -> asyncpg.Record:
    row = await connection.fetchrow(ACCOUNT, account_id)
    assert row is not None
    return row


async def charges(connection: Connection, account_id: str, period_start: object) -> list[asyncpg.Record]:
    """(day, operation, key_id, name, credits) of a period, by key."""
    return await connection.fetch(CHARGES, account_id, period_start)


async def ledger(pool: Pool, account_id: str, before: str, limit: int) -> list[LedgerLine]:
    """The lines older than the one with the id `before`, the newest first."""
    rows = await pool.fetch(
        """select l.id, l.at, l.kind, l.amount, l.operation, l.request_id, k.name as key_name
           from ledger l left join keys k on k.id = l.key_id
           where l.account_id = $1 and l.id < $2 order by l.id desc limit $3""",
        account_id,
        before,
        limit,
    )
    return [LedgerLine(**row) for row in rows]
