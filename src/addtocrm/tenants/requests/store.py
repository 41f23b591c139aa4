"""The SQL of the request log."""

from uuid import UUID

import asyncpg

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.tenants.requests.model import FAILED, SUCCEEDED, Wanted

COLUMNS = "id::text, account_id, key_id, at, method, path, status, error, credits, cached, ms"


async def insert(connection: Connection, requests: str) -> list[asyncpg.Record]:
    """Keeps requests (JSON), and adds them to the counts of their keys; gives (key_id, when it was used last) of each
    key, and tells who follows the account. A request that is there already is left out."""
    return await connection.fetch(
        """with kept as (
               insert into requests (
                   id, account_id, key_id, at, method, path, status, error, credits, cached, ms, lines)
               select id, account_id, key_id, at - make_interval(secs => ms / 1000), method, path, status, error,
                      credits, cached, ms, lines
               from json_to_recordset($1::json) as given (
                   id uuid, account_id text, key_id text, at timestamptz, method text, path text, status int,
                   error text, credits int, cached boolean, ms float8, lines json)
               on conflict do nothing
               returning account_id, key_id, at, status
           ),
           counted as (
               insert into request_counts as c (account_id, key_id, day, class, requests)
               select account_id, key_id, (at at time zone 'UTC')::date, status / 100, count(*)
               from kept group by 1, 2, 3, 4 order by 1, 2, 3, 4
               on conflict (account_id, key_id, day, class) do update set requests = c.requests + excluded.requests
           )
           select key_id, max(at) as at, pg_notify('addtocrm', 'requests:' || account_id)
           from kept group by key_id, account_id""",
        requests,
    )


async def page(
    pool: Pool, account_id: str, wanted: Wanted, after: UUID, before: UUID, looked_at: int, limit: int
) -> list[asyncpg.Record]:
    """The latest requests between two ids that are wanted, of the latest `looked_at`. Each row has also how many there
    were of those (`count`), and the last of them (`last`); where none is wanted, one row has only that."""
    return await pool.fetch(
        f"""with looked as (
               select * from requests where account_id = $1 and id > $2 and id < $3
               {"and status >= 400" if wanted.result and wanted.result != SUCCEEDED else ""}
               order by id desc limit {looked_at}
           ),
           fitting as (
               select {COLUMNS} from looked
               where ($4 in ('', '{FAILED}') or (status < 400 and $4 = '{SUCCEEDED}') or error = $4)
                 and ($5 = '' or key_id = $5) and starts_with(path, $6)
               order by looked.id desc limit {limit}
           )
           select (select id from looked order by id limit 1) as last, (select count(*) from looked) as count, fitting.*
           from (select) as always left join fitting on true order by fitting.id desc""",
        account_id,
        after,
        before,
        wanted.result,
        wanted.key_id,
        wanted.path,
    )


async def get(pool: Pool, account_id: str, id: UUID) -> asyncpg.Record | None:
    return await pool.fetchrow(
        f"select {COLUMNS}, lines from requests where account_id = $1 and id = $2", account_id, id
    )


async def counts(pool: Pool, account_id: str, days: int) -> list[asyncpg.Record]:
    """(key_id, class, requests) of the last days."""
    return await pool.fetch(
        """select key_id, class, sum(requests)::bigint as requests from request_counts
           where account_id = $1 and day > (now() at time zone 'UTC')::date - $2::int group by key_id, class""",
        account_id,
        days,
    )


async def delete_old(pool: Pool, since: UUID, until: UUID, limit: int) -> UUID | None:
    """Deletes the oldest requests between two ids, up to `limit`; gives the last one where there may be more."""
    rows = await pool.fetch(
        """delete from requests where id = any(array(
               select id from requests where id >= $1 and id < $2 order by id limit $3)) returning id""",
        since,
        until,
        limit,
    )
    return max(row["id"] for row in rows) if len(rows) == limit else None


async def delete_old_counts(pool: Pool, days: int) -> None:
    await pool.execute("delete from request_counts where day <= (now() at time zone 'UTC')::date - $1::int", days)
