"""The SQL of events: an outbox that transactions write to, and the feed that it is published to."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from addtocrm.core.db.pool import Connection, Pool


async def append(
    connection: Connection,
    rows: Sequence[tuple[str, str, str, str, str | None, str]],
) -> None:
    """Adds (id, account_id, type, actor, request_id, JSON data) to the outbox."""
    await connection.execute(
        """insert into events_outbox (id, account_id, type, actor, request_id, data)
           select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::json[])""",
        *zip(*rows, strict=True),
    )


async def publish(pool: Pool, *, anew: bool = False) -> int | None:
    """Moves what is committed in the outbox to the feed; gives how many, None at once where another holds the feed.

    The clock's row is locked until the move is committed and never gives the same time twice, so a row that
    becomes visible late gets a later `inserted`, and who has seen one time has seen all before it. With `anew`,
    what was published before is not relied on: the transaction numbers of a restored database are another's.
    """
    return await pool.fetchval("select events_publish($1)", anew)


async def page(
    pool: Pool, account_id: str, after: tuple[datetime, str], types: Sequence[str], limit: int
) -> tuple[list[asyncpg.Record], datetime]:
    """Up to `limit` events after a place, of these types or (where there are none) of all; and the time up to which
    the feed is complete in what was read."""
    if not types:
        rows = await pool.fetch(
            """select id, type, inserted, actor, request_id, data from events
               where account_id = $1 and (inserted, id) > ($2, $3) order by inserted, id limit $4""",
            account_id,
            *after,
            limit,
        )
        return rows, after[0]
    rows = await pool.fetch(
        """with clock as (select last from events_clock order by last desc limit 1),
           places as (
               select inserted, id
               from unnest($4::text[]) as wanted (type) cross join lateral (
                   select inserted, id from events
                   where account_id = $1 and type = wanted.type and (inserted, id) > ($2, $3)
                   order by inserted, id limit $5
               ) as of_the_type
               order by inserted, id limit $5
           )
           select id, type, inserted, actor, request_id, data, clock.last
           from clock left join (places join events using (inserted, id)) on account_id = $1
           order by inserted, id""",
        account_id,
        *after,
        types,
        limit,
    )
    return [row for row in rows if row["id"]], rows[0]["last"]


async def beside(
    pool: Pool,
    account_id: str,
    place: tuple[datetime, str],
    type: str | None,
    actor: str | None,
    looked_at: int,
    limit: int,
    *,
    later: bool,
) -> list[asyncpg.Record]:
    """Up to `limit` events before a place, or `later` ones, of one type and actor or of all, the nearest first; of
    those of the type no more than `looked_at` are looked through. Each row has also how many these were (`count`) and
    the place of the last (`last_inserted`, `last_id`); where none fits, one row has only that."""
    sign, order = (">", "asc") if later else ("<", "desc")
    return await pool.fetch(
        f"""with looked as (
                select id, type, inserted, actor, request_id, data from events
                where account_id = $1 and (inserted, id) {sign} ($2, $3) {"and type = $5" if type else ""}
                order by inserted {order}, id {order} limit {looked_at}
            ),
            last as (
                select count(*) over () as count, inserted as last_inserted, id as last_id from looked
                order by inserted {"desc" if later else "asc"}, id {"desc" if later else "asc"} limit 1
            ),
            fitting as (
                select * from looked where $4::text is null or actor = $4
                order by inserted {order}, id {order} limit {limit}
            )
            select * from (select) as always left join last on true left join fitting on true
            order by inserted {order}, id {order}""",  # A limit unknown when planned is taken for a tenth of all.
        account_id,
        *place,
        actor,
        *([type] if type else []),
    )


async def of_request(pool: Pool, account_id: str, request_id: str, limit: int) -> list[asyncpg.Record]:
    """The first events of a request: all of it are taken by its index, for in their order they may come late."""
    return await pool.fetch(
        f"""with of_it as materialized (
               select account_id, id, type, inserted, actor, request_id, data from events where request_id = $2
           )
           select id, type, inserted, actor, request_id, data from of_it
           where account_id = $1 order by inserted, id limit {limit}""",
        account_id,
        request_id,
    )


async def delete_old(pool: Pool, since: datetime, until: datetime, limit: int) -> tuple[int, datetime]:
    """Deletes the oldest events of that time, up to `limit`; gives how many, and the time of the last."""
    row = await pool.fetchrow(
        """with gone as (
               delete from events where ctid = any(array(
                   select ctid from events where inserted >= $1 and inserted < $2 order by inserted limit $3))
               returning inserted
           ) select count(*) as count, coalesce(max(inserted), $2) as last from gone""",
        since,
        until,
        limit,
    )
    assert row is not None
    return row["count"], row["last"]


async def waiting(pool: Pool, most: int) -> int:
    """How many events are not in the feed yet, up to `most`."""
    return await pool.fetchval("select count(*) from (select from events_outbox limit $1) as some", most)
