"""The SQL of jobs."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from addtocrm.db.pool import Connection, Pool

JOB = """select j.*, c.succeeded, c.failed, c.pending, c.credits_deducted from jobs j cross join lateral (
             select count(*) filter (where status = 'succeeded')::int as succeeded,
                    count(*) filter (where status = 'failed')::int as failed,
                    count(*) filter (where status = 'pending')::int as pending,
                    coalesce(sum(credits_deducted), 0)::int as credits_deducted
             from job_items where job_id = j.id) c"""


async def insert(
    connection: Connection,
    id: str,
    account_id: str,
    kind: str,
    caller: str,
    options: str,
    inputs: Sequence[str],
    same_as: Sequence[int | None],
    turns: Sequence[int],
) -> None:
    """Adds a queued job with its items (JSON each, then for each the position that it repeats, and its turn), and
    hands it to the queue, all in one transaction."""
    await connection.execute(
        "insert into jobs (id, account_id, kind, caller, options, total) values ($1, $2, $3, $4, $5, $6)",
        id,
        account_id,
        kind,
        caller,
        options,
        len(inputs),
    )
    await connection.execute(
        """insert into job_items (job_id, position, input, same_as, turn)
           select $1, position, input, same_as, turn
           from unnest($2::json[], $3::int[], $4::int[]) with ordinality as items (input, same_as, turn, position)""",
        id,
        list(inputs),
        list(same_as),
        list(turns),
    )
    await connection.execute(
        """select dbos.enqueue_workflow('run_job', 'jobs', positional_args => array[to_json($1::text)],
                                        workflow_id => $1)""",
        id,
    )


async def get(connection: Connection | Pool, account_id: str, id: str) -> asyncpg.Record | None:
    return await connection.fetchrow(f"{JOB} where j.account_id = $1 and j.id = $2", account_id, id)


async def results(pool: Pool, id: str, after: int, limit: int) -> list[asyncpg.Record]:
    return await pool.fetch(
        """select position, status, input, result, error, cached, credits_deducted from job_items
           where job_id = $1 and position > $2 order by position limit $3""",
        id,
        after,
        limit,
    )


async def start(pool: Pool, id: str) -> asyncpg.Record | None:
    """Marks a job as running, and gives it; None where it has ended."""
    return await pool.fetchrow(
        """update jobs set status = 'running', started_at = coalesce(started_at, now())
           where id = $1 and status in ('queued', 'running') returning *""",
        id,
    )


async def due(pool: Pool, id: str, active: list[int], limit: int) -> list[asyncpg.Record]:
    """The next items to do beside those that are active, unless the job has ended (was cancelled)."""
    return await pool.fetch(
        """select i.position, i.input, i.attempts, j.created_at as since from job_items i join jobs j on j.id = i.job_id
           where i.job_id = $1 and i.status = 'pending' and i.same_as is null and i.not_before <= now()
             and j.status = 'running' and i.position <> all($2::int[])
           order by i.not_before, i.turn limit $3""",
        id,
        active,
        limit,
    )


async def wait_seconds(pool: Pool, id: str) -> float | None:
    """Seconds until the next pending item is due; None where none is pending or the job has ended."""
    return await pool.fetchval(
        """select extract(epoch from min(i.not_before) - now())::float8 from job_items i
           join jobs j on j.id = i.job_id
           where i.job_id = $1 and i.status = 'pending' and i.same_as is null and j.status = 'running'""",
        id,
    )


async def settle(
    pool: Pool,
    id: str,
    position: int,
    status: str,
    result: str | None,
    error: str | None,
    cached: bool | None,
    credits_deducted: int | None,
) -> None:
    """Ends an item, and with it those that are the same; what it cost is told of it alone."""
    await pool.execute(
        """update job_items set status = $3, result = $4, error = $5,
               cached = case when position = $2 then $6::boolean else $6 or $7::int > 0 end,
               credits_deducted = case when position = $2 then $7 else $7 * 0 end
           where job_id = $1 and (position = $2 or same_as = $2) and status = 'pending'""",
        id,
        position,
        status,
        result,
        error,
        cached,
        credits_deducted,
    )


async def postpone(pool: Pool, id: str, position: int, until: datetime) -> None:
    await pool.execute(
        "update job_items set not_before = $3, attempts = attempts + 1 where job_id = $1 and position = $2",
        id,
        position,
        until,
    )


async def end(connection: Connection, id: str, status: str, error: str | None) -> bool:
    """Ends a job that has not ended; False where it has."""
    ended = await connection.fetchval(
        """update jobs set status = $2, error = $3, finished_at = now()
           where id = $1 and status in ('queued', 'running') returning true""",
        id,
        status,
        error,
    )
    if ended and status != "completed":
        await connection.execute(
            "update job_items set status = 'cancelled' where job_id = $1 and status = 'pending'", id
        )
    return bool(ended)
