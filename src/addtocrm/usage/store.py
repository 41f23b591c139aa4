"""The SQL of usage."""

import asyncpg

from addtocrm.db.pool import Connection

CHARGES = "from ledger where account_id = $1 and period_start = $2 and kind = 'charge'"


async def account(connection: Connection, account_id: str) -> asyncpg.Record:
    row = await connection.fetchrow(
        """select plan, custom_credits, available, period_credits, period_start, period_end,
                  (select count(*) from holds h where h.account_id = a.id)::int as held
           from accounts a where id = $1""",
        account_id,
    )
    assert row is not None
    return row


async def by_operation(connection: Connection, *period: object) -> list[asyncpg.Record]:
    return await connection.fetch(
        f"select operation, -sum(amount)::int as credits {CHARGES} group by 1 order by 1", *period
    )


async def by_key(connection: Connection, *period: object) -> list[asyncpg.Record]:
    return await connection.fetch(
        f"""select used.key_id, keys.name, used.credits
            from (select key_id, -sum(amount)::int as credits {CHARGES} group by 1) used
            left join keys on keys.id = used.key_id order by used.key_id nulls last""",
        *period,
    )


async def by_day(connection: Connection, *period: object) -> list[asyncpg.Record]:
    return await connection.fetch(
        f"""select to_char(at at time zone 'UTC', 'YYYY-MM-DD') as date, -sum(amount)::int as credits
            {CHARGES} group by 1 order by 1""",
        *period,
    )
