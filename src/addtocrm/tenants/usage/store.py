"""The SQL of usage."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import asyncpg

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.tenants.usage.model import LedgerFilter, LedgerLine

ACCOUNT = """select plan, period_credits, available, period_start, period_end, period_end <= now() as due,
                    monthly_credits(a) as monthly,
                    (select count(*) from holds h
                     where h.account_id = a.id and h.period_start = a.period_start) as held
             from accounts a where id = $1"""

CHARGES = """select u.day, u.operation, k.id as key_id, k.name,
                    case when u.actor like 'user:%' then substr(u.actor, 6) end as member_id, m.email,
                    sum(u.credits)::bigint as credits, sum(u.cached)::bigint as cached
             from usage u
             left join keys k on u.actor = 'key:' || k.id and k.account_id = u.account_id
             left join members m on u.actor = 'user:' || m.id and m.account_id = u.account_id
             where u.account_id = $1 and u.period_start = $2
             group by u.day, u.operation, u.actor, k.id, m.id
             order by k.id nulls last, u.actor nulls last"""

COLUMNS = "l.id, l.at, l.kind, l.amount, l.operation, l.request_id, l.actor"

LINES = f"""select {COLUMNS} from ledger l
           where l.account_id = $1 and l.id < $2 and l.id >= $3
             and ($4::timestamptz is null or l.at >= $4) and ($5::timestamptz is null or l.at < $5)"""

OPERATIONS = """with recursive known as (
                    (select operation from ledger where account_id = $1 order by operation limit 1)
                    union all
                    select (select operation from ledger l where account_id = $1 and l.operation > known.operation
                            order by operation limit 1)
                    from known where known.operation is not null)
                select operation from known where operation is not null"""
"""Each operation of a ledger, by one look at the index for each."""

APART = timedelta(hours=1)
"""How far an id's time is from its line's at most: clocks of several hosts."""


async def account(connection: Connection, account_id: str) -> asyncpg.Record:
    row = await connection.fetchrow(ACCOUNT, account_id)
    assert row is not None
    return row


async def charges(connection: Connection, account_id: str, period_start: object) -> list[asyncpg.Record]:
    """(day, operation, key_id, name, member_id, email, credits, cached) of a period, by key and member."""
    return await connection.fetch(CHARGES, account_id, period_start)


async def of_request(pool: Pool, account_id: str, request_id: str, limit: int) -> list[LedgerLine]:
    """The first lines of a request: all of it are taken by its index, for in the order of ids they may come late."""
    chosen = f"select {COLUMNS} from of_it l where l.account_id = $1 order by l.id limit {limit}"
    rows = await pool.fetch(
        f"""with of_it as materialized (select * from ledger where request_id = $2)
            {_named(chosen)} order by l.id""",
        account_id,
        request_id,
    )
    return [LedgerLine(**row) for row in rows]


async def ledger(pool: Pool, account_id: str, wanted: LedgerFilter, before: str | None, limit: int) -> list[LedgerLine]:
    """The lines older than the one with the id `before`, the newest first."""
    sql, values = ledger_query(account_id, wanted, before, limit)
    return [LedgerLine(**row) for row in await pool.fetch(sql, *values)]


def ledger_query(account_id: str, wanted: LedgerFilter, before: str | None, limit: int) -> tuple[str, list[Any]]:
    """Whatever is wanted, an index has it in the order of ids; of one actor, each operation is asked."""
    last = _id(wanted.until, APART) if wanted.until else "led_~"
    first = _id(wanted.since, -APART) if wanted.since else ""
    values: list[Any] = [account_id, min(before or last, last), first, wanted.since, wanted.until, limit]
    newest = "order by l.id desc limit $6"
    chosen = f"{LINES} {newest}"
    if wanted.operation:
        values.append(wanted.operation)
        chosen = f"{LINES} and l.operation = $7 {newest}"
    if wanted.actor:
        values.append(wanted.actor)
        of_actor = f"and l.actor = ${len(values)}"
        chosen = (
            f"{LINES} and l.operation = $7 {of_actor} {newest}"
            if wanted.operation
            else f"""select l.* from ({OPERATIONS}) operations cross join lateral (
                         {LINES} and l.operation = operations.operation {of_actor} {newest}) l {newest}"""
        )
    return f"{_named(chosen)} order by l.id desc", values


def _named(chosen: str) -> str:
    """The lines `chosen` (of the account $1), with the name of who asked."""
    return f"""select l.*, coalesce(k.name, m.email) as who from ({chosen}) l
               left join keys k on l.actor = 'key:' || k.id and k.account_id = $1
               left join members m on l.actor = 'user:' || m.id and m.account_id = $1"""


async def operations(pool: Pool, account_id: str) -> list[str]:
    """The operations of an account's ledger."""
    return [row["operation"] for row in await pool.fetch(OPERATIONS, account_id)]


async def due(pool: Pool, account_ids: Sequence[str]) -> list[str]:
    """Those of the accounts whose next period is not begun yet."""
    rows = await pool.fetch("select id from accounts where id = any($1::text[]) and period_end <= now()", account_ids)
    return [row["id"] for row in rows]


async def add_cached(pool: Pool, day: date, counts: Sequence[tuple[tuple[str, str, str], int]]) -> None:
    """Adds answers from the cache, by (account, operation, actor), to what was used on a day."""
    columns: list[Any] = [
        list(column) for column in zip(*((*key, count) for key, count in sorted(counts)), strict=True)
    ]
    await pool.execute(
        """insert into usage as u (account_id, period_start, day, operation, actor, slot, credits, cached)
           select account_id, a.period_start, $1, operation, actor, pg_backend_pid() % 16, 0, cached
           from unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) as c (account_id, operation, actor, cached)
           join accounts a on a.id = account_id order by account_id, operation, actor
           on conflict (account_id, period_start, day, operation, actor, slot)
           do update set cached = u.cached + excluded.cached""",
        day,
        *columns,
    )


def _id(time: datetime, later: timedelta) -> str:
    """What the id of a line of that time, and so much later, begins with (RFC 9562 §5.7)."""
    return f"led_{max(int((time.timestamp() + later.total_seconds()) * 1000), 0):012x}"
