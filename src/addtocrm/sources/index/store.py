"""The SQL of the index: all people in a stream, and who changed since a number."""

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

import asyncpg

from addtocrm.core.db.pool import Pool

SECONDS = 3600.0
"""For reading all people."""

DROP_AFTER = "3 days"
"""So long a host may be away and go on; its index is built anew after that."""


class Feed(NamedTuple):
    """Which numbers there are: of which database, up to which they were dropped, and the last."""

    generation: str
    dropped: int
    last: int


async def feed(pool: Pool) -> Feed:
    """The state of the changes."""
    row = await pool.fetchrow(
        """select generation::text, dropped, coalesce((select max(number) from people_changes), dropped) as last
           from people_feed"""
    )
    assert row is not None
    return Feed(*row)


async def changes(pool: Pool, after: int, limit: int) -> list[tuple[int, list[str]]]:
    """Who changed after the number, as (number, ids), in their order."""
    rows = await pool.fetch(
        "select number, ids from people_changes where number > $1 order by number limit $2", after, limit
    )
    return [(row["number"], row["ids"]) for row in rows]


async def drop_old(pool: Pool) -> None:
    """Drops the changes that every host had the time to follow."""
    await pool.execute(
        f"""with gone as (delete from people_changes where changed_at < now() - interval '{DROP_AFTER}'
                          returning number)
            update people_feed set dropped = greatest(dropped, (select max(number) from gone))
            where exists (select from gone)"""
    )


async def count(pool: Pool) -> int:
    """About how many people there are."""
    estimate = await pool.fetchval("select reltuples::bigint from pg_class where oid = 'people'::regclass")
    return estimate if estimate > 0 else await pool.fetchval("select count(*) from people")


async def people(pool: Pool, size: int) -> AsyncIterator[list[asyncpg.Record]]:
    """All people as (id, data), `size` at a time."""
    async with pool.acquire() as connection, connection.transaction():
        cursor = await connection.cursor("select id, data from people", timeout=SECONDS)
        while rows := await cursor.fetch(size, timeout=SECONDS):
            yield rows


async def some(pool: Pool, ids: Sequence[str]) -> list[asyncpg.Record]:
    """The people of these ids that there are, as (id, data)."""
    return await pool.fetch("select id, data from people where id = any($1)", ids)
