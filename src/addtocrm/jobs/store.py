"""The SQL of jobs."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import msgspec

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.individuals import packed
from addtocrm.jobs.model import ItemStatus, Outcome
from addtocrm.privacy.model import FORGOTTEN, FORGOTTEN_ERROR

OPEN = "status in ('queued', 'running')"
HELD = "status = 'queued' and due_at = 'infinity'"
LISTED = "select count(*) from suppressions"
"""How long the suppression list is, which only grows."""
FORGET = f"""update job_items set input = '"{FORGOTTEN}"', subjects = null
    where job_id = $1 and exists (
        select from unnest(subjects) as digest where suppression_hash(digest) in (select hash from suppressions))"""
"""Takes people who asked to be forgotten out of a job's items."""
LONG_SECONDS = 600.0
"""For a statement over all items of one job."""
ITEMS_OF_ANOTHER = """
    select position as place, subjects,
           (case when $5::text is null then input::jsonb else jsonb_build_object($5, result) end || $6::jsonb)::json
               as input
    from job_items
    where job_id = (select id from jobs where account_id = $1 and id = $2 and kind = $3)
      and status = 'succeeded' and result is not null and ($4::int is null or position = $4)"""


async def insert(
    connection: Connection, id: str, account_id: str, kind: str, scope: str, caller: str, options: str
) -> None:
    """Adds a queued job without items; those who carry jobs hear of it with the commit."""
    await connection.execute(
        """insert into jobs (id, account_id, kind, scope, caller, options, total)
           values ($1, $2, $3, $4, $5, $6, 0)""",
        id,
        account_id,
        kind,
        scope,
        caller,
        options,
    )
    await notify(connection, id)


async def add_items(
    connection: Connection,
    id: str,
    inputs: Sequence[str],
    subjects: Sequence[str],
    same_as: Sequence[int | None],
    turns: Sequence[int],
) -> None:
    """Adds a job's items: for each its JSON, whom it is about (packed), the position that it repeats, and its turn."""
    await connection.execute(
        """insert into job_items (job_id, position, input, subjects, same_as, turn)
           select $1, position, input, digests_of(subjects), same_as, turn
           from unnest($2::json[], $3::json[], $4::int[], $5::int[])
               with ordinality as items (input, subjects, same_as, turn, position)""",
        id,
        list(inputs),
        list(subjects),
        list(same_as),
        list(turns),
    )
    await _count(connection, id, len(inputs))


async def add_selected(connection: Connection, id: str, query: str, *values: object) -> None:
    """Adds a job's items by a query with the columns `place` (their order), `input` (JSON) and `subjects`; $1 … are its
    `values`. Of somebody who asked to be forgotten there is nothing in them; until the transaction ends nobody is."""
    mark = f"${len(values) + 1}::text"
    done = await connection.execute(
        f"""insert into job_items (job_id, position, input, subjects, turn)
            select {mark}, row_number() over (order by place), input, subjects, row_number() over (order by place)
            from ({query}) as items""",
        *values,
        id,
        timeout=LONG_SECONDS,
    )
    await _count(connection, id, int(done.rpartition(" ")[2]))
    # Whoever forgets somebody waits from the check on: what takes long is done before it.
    listed = await connection.fetchval(LISTED)
    if listed:
        await connection.execute(FORGET, id, timeout=LONG_SECONDS)
    await connection.execute("select suppression_check()")
    if listed != await connection.fetchval(LISTED):
        await connection.execute(FORGET, id, timeout=LONG_SECONDS)


async def _count(connection: Connection, id: str, items: int) -> None:
    await connection.execute("update jobs set total = $2, pending = $2 where id = $1", id, items)


async def notify(connection: Connection, id: str) -> None:
    """Tells those who carry jobs, with the commit, that there is something new about this one."""
    await connection.execute("select pg_notify('addtocrm', 'job:' || $1)", id)


async def tell_of_progress(connection: Connection | Pool, ids: Sequence[str]) -> None:
    """Tells those who look at these jobs that there is something new to see."""
    await connection.execute("select pg_notify('addtocrm', 'progress:' || id) from unnest($1::text[]) as id", ids)


async def get(connection: Connection | Pool, account_id: str, id: str) -> asyncpg.Record | None:
    return await connection.fetchrow("select * from jobs where account_id = $1 and id = $2", account_id, id)


async def page(pool: Pool, account_id: str, before: str | None, limit: int) -> list[asyncpg.Record]:
    """The jobs of an account before that one, the latest first; without those that are held."""
    return await pool.fetch(
        f"""select * from jobs where account_id = $1 and id < coalesce($2, '~') and not ({HELD})
            order by id desc limit {limit}""",  # Unknown when planned, the limit is taken for a tenth of all.
        account_id,
        before,
    )


async def hold(connection: Connection, id: str) -> None:
    await connection.execute("update jobs set due_at = 'infinity' where id = $1", id)


async def held(pool: Pool, account_id: str, id: str) -> str | None:
    """The options of a job that is held."""
    return await pool.fetchval(f"select options from jobs where account_id = $1 and id = $2 and {HELD}", account_id, id)


async def start(connection: Connection, account_id: str, id: str) -> bool:
    """Lets a job that is held begin; whether there was one."""
    done = await connection.execute(
        f"update jobs set due_at = now() where account_id = $1 and id = $2 and {HELD}", account_id, id
    )
    return done != "UPDATE 0"


async def discard(pool: Pool, account_id: str, id: str) -> bool:
    """Deletes a job that is held; whether there was one."""
    done = await pool.execute(f"delete from jobs where account_id = $1 and id = $2 and {HELD}", account_id, id)
    return done != "DELETE 0"


async def discard_left(pool: Pool, hours: int) -> None:
    """Deletes the jobs that have been held for longer than that."""
    await pool.execute(f"delete from jobs where {HELD} and created_at < now() - make_interval(hours => $1)", hours)


async def of_request(pool: Pool, account_id: str, request_id: str) -> asyncpg.Record | None:
    return await pool.fetchrow(
        """with of_it as materialized (select * from jobs where caller ->> 'request_id' = $2)
           select * from of_it where account_id = $1 order by id limit 1""",
        account_id,
        request_id,
    )


async def results(
    pool: Pool, id: str, after: int, limit: int, status: ItemStatus | None = None
) -> list[asyncpg.Record]:
    return await pool.fetch(
        """select position, status, input, result, error, cached, credits_deducted from job_items
           where job_id = $1 and position > $2 and ($4::text is null or status = $4) order by position limit $3""",
        id,
        after,
        limit,
        status,
    )


async def result(pool: Pool, id: str, position: int) -> asyncpg.Record | None:
    return await pool.fetchrow(
        """select position, status, input, result, error, cached, credits_deducted from job_items
           where job_id = $1 and position = $2""",
        id,
        position,
    )


async def orphan(pool: Pool, instance: int) -> None:
    """Lets go of the jobs that processes carried which are dead."""
    await pool.execute(
        f"""update jobs set instance = null
            where {OPEN} and instance = any(array(
                select one from (select distinct instance as one from jobs
                                 where {OPEN} and instance is not null and instance <> $1) as carriers
                where instance_is_dead(one)))""",
        instance,
    )


async def died(pool: Pool, places: Sequence[tuple[str, int]]) -> None:
    """Counts the death of a process for the items (job, position) that were under way in it."""
    await pool.execute(
        """update job_items i set deaths = deaths + 1 from unnest($1::text[], $2::int[]) as under_way (job_id, position)
           where i.job_id = under_way.job_id and i.position = under_way.position and i.status = 'pending'""",
        [job for job, _ in places],
        [position for _, position in places],
    )


async def take(
    pool: Pool, instance: int, carried: Sequence[str], accounts: Sequence[str], per_account: int, limit: int
) -> list[asyncpg.Record]:
    """Takes jobs that are due and that nobody carries (nor this process, whatever it was told): at most
    `per_account` of one account with those of `accounts` (one entry for each job carried), all accounts in turn."""
    return await pool.fetch(
        f"""with waiting as (
                select id, account_id, row_number() over (partition by account_id order by due_at, id) as place
                from jobs
                where {OPEN} and due_at <= now() and (instance is null or instance = $1 and id <> all($2::text[]))
            ), chosen as (
                select w.id from waiting w
                left join (select account_id, count(*) as jobs from unnest($3::text[]) as a (account_id) group by 1) c
                    using (account_id)
                where w.place + coalesce(c.jobs, 0) <= $4 order by w.place limit $5
            ), free as (
                select id from jobs
                where id in (select id from chosen) and {OPEN} and (instance is null or instance = $1)
                for update skip locked
            )
            update jobs j set instance = $1, status = 'running', started_at = coalesce(started_at, now())
            from free where j.id = free.id returning j.*""",
        instance,
        carried,
        accounts,
        per_account,
        limit,
    )


async def carried(pool: Pool, instance: int, ids: Sequence[str]) -> dict[str, bool]:
    """Those of the jobs that are this process's and have not ended, and whether each is to be cancelled."""
    rows = await pool.fetch(
        f"""select id, cancelled_by is not null as cancelled from jobs
            where id = any($2::text[]) and {OPEN} and instance = $1""",
        instance,
        ids,
    )
    return {row["id"]: row["cancelled"] for row in rows}


async def give_back(pool: Pool, instance: int, ids: Sequence[str], seconds: float) -> None:
    """Lets jobs of this process go; they are due again in so many seconds, and at once where they are cancelled."""
    await pool.execute(
        """update jobs set instance = null,
               due_at = now() + case when cancelled_by is null then $3::interval else interval '0' end
           where instance = $1 and id = any($2::text[])""",
        instance,
        ids,
        timedelta(seconds=seconds),
    )


async def due(
    pool: Pool, id: str, after: tuple[datetime, int], besides: Sequence[int], limit: int
) -> list[asyncpg.Record]:
    """The next items that are due after that (time, turn), besides those at some positions."""
    return await pool.fetch(
        """select position, input, attempts, not_before, turn, deaths from job_items
           where job_id = $1 and status = 'pending' and same_as is null and not_before <= now()
             and (not_before, turn) > ($2, $3) and position <> all($4::int[])
           order by not_before, turn limit $5""",
        id,
        *after,
        besides,
        limit,
    )


async def wait_seconds(pool: Pool, id: str) -> float | None:
    """Seconds until the next pending item is due; None where none is pending."""
    return await pool.fetchval(
        """select extract(epoch from min(not_before) - now())::float8 from job_items
           where job_id = $1 and status = 'pending' and same_as is null""",
        id,
    )


async def settle(pool: Pool, outcomes: Sequence[Outcome]) -> None:
    """Ends items (and with each those that are the same: what it cost is told of it alone), puts others off, and
    keeps the jobs' counters, in one commit. What has ended already stays as it is, and what was found of somebody who
    asked to be forgotten meanwhile is left out."""
    ended = [one for one in outcomes if one.put_off is None]
    later = [one for one in outcomes if one.put_off is not None]
    async with pool.acquire() as connection, connection.transaction():
        if later:
            await connection.execute(
                """update job_items i set not_before = now() + make_interval(secs => l.seconds),
                       attempts = attempts + l.tried::int
                   from unnest($1::text[], $2::int[], $3::float8[], $4::bool[]) as l (job_id, position, seconds, tried)
                   where i.job_id = l.job_id and i.position = l.position and i.status = 'pending'""",
                [one.job_id for one in later],
                [one.position for one in later],
                [one.put_off for one in later],
                [one.tried for one in later],
            )
        if ended:
            await connection.execute(
                """with ended as (
                       select job_id, position, status, cached, credits,
                              case when gone then null else result end as result,
                              case when gone then $9::json else error end as error,
                              case when gone then null else subjects end as subjects
                       from unnest($1::text[], $2::int[], $3::text[], $4::json[], $5::json[], $6::bool[], $7::int[],
                                   $8::json[])
                           as e (job_id, position, status, result, error, cached, credits, packed),
                           digests_of(packed) as subjects, is_suppressed(subjects) as gone
                   ), own as (
                       update job_items i set status = e.status, result = e.result, error = e.error,
                           cached = e.cached, credits_deducted = e.credits, subjects = i.subjects || e.subjects
                       from ended e
                       where i.job_id = e.job_id and i.position = e.position and i.status = 'pending'
                       returning i.job_id, i.status, i.credits_deducted
                   ), same as (
                       update job_items i set status = e.status, result = e.result, error = e.error,
                           cached = e.cached or e.credits > 0, credits_deducted = e.credits * 0,
                           subjects = i.subjects || e.subjects
                       from ended e
                       where i.job_id = e.job_id and i.same_as = e.position and i.status = 'pending'
                       returning i.job_id, i.status, i.credits_deducted
                   ), counted as (
                       select job_id, count(*) as ended, count(*) filter (where status = 'succeeded') as succeeded,
                              coalesce(sum(credits_deducted), 0) as credits
                       from (table own union all table same) as done group by job_id order by job_id
                   )
                   update jobs j set succeeded = j.succeeded + c.succeeded,
                       failed = j.failed + c.ended - c.succeeded, pending = j.pending - c.ended,
                       credits_deducted = j.credits_deducted + c.credits
                   from counted c where j.id = c.job_id""",
                [one.job_id for one in ended],
                [one.position for one in ended],
                [one.status for one in ended],
                [one.result for one in ended],
                [one.error for one in ended],
                [one.cached for one in ended],
                [one.credits_deducted for one in ended],
                [packed(one.subjects) for one in ended],
                msgspec.json.encode(FORGOTTEN_ERROR).decode(),
            )


async def cancel(connection: Connection, account_id: str, id: str, by: str) -> bool | None:
    """Asks for a job's end; whether nobody carries it, None where it has ended."""
    return await connection.fetchval(
        f"""update jobs set cancelled_by = coalesce(cancelled_by, $3::json)
            where account_id = $1 and id = $2 and {OPEN}
            returning instance is null or instance_is_dead(instance)""",
        account_id,
        id,
        by,
    )


async def end(connection: Connection, id: str, status: str, error: str | None) -> asyncpg.Record | None:
    """Ends a job, and its pending items with it; gives the job, None where it had ended."""
    row = await connection.fetchrow(
        f"""update jobs set status = $2, error = $3, finished_at = now(), instance = null, pending = 0
            where id = $1 and {OPEN} returning *""",
        id,
        status,
        error,
    )
    if row and status != "completed":
        await connection.execute(
            "update job_items set status = 'cancelled' where job_id = $1 and status = 'pending'",
            id,
            timeout=LONG_SECONDS,
        )
    return row


async def oldest_ended(pool: Pool, days: float) -> str | None:
    """The job that ended first, if that was longer ago than `days`."""
    return await pool.fetchval(
        "select id from jobs where finished_at < now() - make_interval(secs => $1) order by finished_at limit 1",
        days * 86_400,
    )


async def delete_some(pool: Pool, id: str, items: int) -> bool:
    """Deletes some of a job's items, or where it has none any more the job; whether that was so. What another host
    deletes just now is left to it."""
    deleted = await pool.execute(
        """delete from job_items where job_id = $1 and position in (
               select position from job_items where job_id = $1 order by position limit $2 for update skip locked)""",
        id,
        items,
    )
    if deleted != "DELETE 0":
        return False
    gone = "delete from jobs where id = $1 and not exists (select from job_items where job_id = $1)"
    return await pool.execute(gone, id) != "DELETE 0"


async def all_jobs(pool: Pool, before: str | None, limit: int, *, only_open: bool) -> list[asyncpg.Record]:
    """The newest jobs of all accounts, with the account's email, before the one with the id `before`; without those
    that are held."""
    # The limit as a number, for the plan: behind a placeholder it is taken for a tenth of all.
    return await pool.fetch(
        f"""select j.*, a.email as account_email from jobs j join accounts a on a.id = j.account_id
            where ($1::text is null or j.id < $1) and not ({HELD}) {f"and {OPEN}" if only_open else ""}
            order by j.id desc limit {limit}""",
        before,
    )


async def owner(pool: Pool, id: str) -> str | None:
    """Whose job it is."""
    return await pool.fetchval("select account_id from jobs where id = $1", id)


async def depths(pool: Pool) -> asyncpg.Record:
    """(queued, running, pending): how many jobs wait and run, and how many of their items are to be done; without
    those that are held."""
    row = await pool.fetchrow(
        f"""select count(*) filter (where status = 'queued') as queued,
                   count(*) filter (where status = 'running') as running, coalesce(sum(pending), 0)::bigint as pending
            from jobs where {OPEN} and not ({HELD})"""
    )
    assert row is not None
    return row
