"""The SQL of rate limits: counts by subject, and the servers that may count in their own memory."""

from collections.abc import Sequence

import asyncpg

from addtocrm.core.db.pool import Connection, Pool

Count = tuple[str, int, int, int, int]
"""A subject, the minute and what is used of it, the hour and what is used of it (since the epoch)."""


async def take(pool: Pool, subject: str, per_minute: int, per_hour: int, cost: int) -> asyncpg.Record:
    """(allowed, now, used_minute, used_hour) after using up `cost`, where that is within both limits."""
    row = await pool.fetchrow("select * from rate_take($1, $2, $3, $4)", subject, per_minute, per_hour, cost)
    assert row is not None
    return row


async def add(connection: Connection, counts: Sequence[Count]) -> None:
    """Adds what a server counted in its memory."""
    await connection.executemany(
        """insert into rate_counts as r (subject, minute, used_minute, hour, used_hour) values ($1, $2, $3, $4, $5)
           on conflict (subject) do update set
               minute = greatest(r.minute, excluded.minute),
               hour = greatest(r.hour, excluded.hour),
               used_minute = case when r.minute >= excluded.minute then r.used_minute else 0 end
                           + case when r.minute <= excluded.minute then excluded.used_minute else 0 end,
               used_hour = case when r.hour >= excluded.hour then r.used_hour else 0 end
                         + case when r.hour <= excluded.hour then excluded.used_hour else 0 end""",
        sorted(counts),
    )


async def lock(connection: Connection) -> None:
    """Nobody else joins or withdraws until the transaction ends (the lock of the SQL function `rate_join`)."""
    await connection.execute("select pg_advisory_xact_lock(1096041296, 0)")


async def join(connection: Connection, instance: int) -> int:
    """Makes it known that a server counts in the database; gives how many others do not yet."""
    return await connection.fetchval("select rate_join($1)", instance)


async def others(pool: Pool, instance: int) -> int | None:
    """How many other servers live; None where this one is not known any more."""
    return await pool.fetchval("select rate_others($1)", instance)


async def withdraw(connection: Connection, instance: int) -> list[Count] | None:
    """All counts, for the one server there is to go on with in its memory; None where there are others."""
    await lock(connection)
    if await connection.fetchval("select exists (select from rate_servers where instance <> $1)", instance):
        return None
    await connection.execute("update rate_servers set shares = false where instance = $1", instance)
    rows = await connection.fetch("delete from rate_counts returning subject, minute, used_minute, hour, used_hour")
    return [tuple(row) for row in rows]


async def leave(connection: Connection, instance: int) -> None:
    """Takes a server that ends out of those that live."""
    await connection.execute("delete from rate_servers where instance = $1", instance)


async def sweep(pool: Pool) -> None:
    """Deletes the counts of hours that are over."""
    await pool.execute("delete from rate_counts where hour < floor(extract(epoch from now()) / 3600)")
