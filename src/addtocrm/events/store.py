"""The SQL of events: an outbox that transactions write to, and the feed that it is published to."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from addtocrm.db.pool import Connection, Pool


async def append(
    connection: Connection,
    rows: Sequence[tuple[str, str, str, str, str | None, str]],
) -> None:
    """Adds (id, account_id, type, actor, request_id, JSON data) to the outbox."""
    await connection.executemany(
        """insert into events_outbox (id, account_id, type, actor, request_id, data)
           values ($1, $2, $3, $4, $5, $6)""",
        rows,
    )


async def publish(pool: Pool) -> int:
    """Moves what is committed in the outbox to the feed; gives how many.

    The clock's row is locked until the move is committed and never gives the same time twice, so a row that
    becomes visible late gets a later `inserted`, and who has seen one time has seen all before it.
    """
    if not await pool.fetchval("select exists (select from events_outbox)"):
        return 0
    async with pool.acquire() as connection, connection.transaction():
        inserted = await connection.fetchval(
            """update events_clock
               set last = greatest(clock_timestamp(), last + interval '1 microsecond') returning last"""
        )
        done = await connection.execute(
            """with moved as (delete from events_outbox returning *)
               insert into events (account_id, inserted, id, type, actor, request_id, data)
               select account_id, $1, id, type, actor, request_id, data from moved""",
            inserted,
        )
    return int(done.rpartition(" ")[2])


async def page(
    pool: Pool, account_id: str, after: tuple[datetime, str], types: Sequence[str] | None, limit: int
) -> list[asyncpg.Record]:
    return await pool.fetch(
        """select id, type, inserted, actor, request_id, data from events
           where account_id = $1 and (inserted, id) > ($2, $3)
             and ($4::text[] is null or type = any($4))
           order by inserted, id limit $5""",
        account_id,
        *after,
        types,
        limit,
    )


async def end(pool: Pool, account_id: str) -> asyncpg.Record | None:
    """The last event's (inserted, id)."""
    return await pool.fetchrow(
        "select inserted, id from events where account_id = $1 order by inserted desc, id desc limit 1",
        account_id,
    )
