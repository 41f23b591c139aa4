"""The rules of jobs: making, showing and cancelling them. `runner` carries them out."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from addtocrm import cursors
from addtocrm.db.ids import new_id
from addtocrm.db.pool import Connection, Pool
from addtocrm.errors import ApiError
from addtocrm.events import service as events
from addtocrm.idempotency.service import done_before, keep
from addtocrm.jobs import store
from addtocrm.jobs.model import ItemError, Job, JobResult, NewItem
from addtocrm.lookups.model import Caller
from addtocrm.times import rfc3339

GROUP_ROUND = 10
"""Items of one group that are begun before the next group has its turn."""


async def create(connection: Connection, caller: Caller, kind: str, options: Any, items: Sequence[NewItem]) -> Job:
    """A queued job, made in the transaction of `connection`: it runs once that commits.

    `kind` names its handler (see `runner`); `options` are JSON-encodable. The job is what the caller's request does:
    it is kept with its Idempotency-Key.
    """
    id = new_id("job")
    await store.insert(
        connection,
        id,
        caller.account_id,
        kind,
        _json(msgspec.structs.replace(caller, once=None)),
        _json(options),
        [_json(one.input) for one in items],
        _repeats(items),
        _turns(items),
    )
    row = await store.get(connection, caller.account_id, id)
    assert row is not None
    job = _job(row)
    await keep(connection, caller.once, job)
    return job


async def submit(pool: Pool, caller: Caller, kind: str, items: Sequence[NewItem]) -> Job:
    """As `create`, without options, in a transaction of its own."""
    if before := done_before(caller.once, Job):
        return before
    async with pool.acquire() as connection, connection.transaction():
        return await create(connection, caller, kind, {}, items)


def _repeats(items: Sequence[NewItem]) -> list[int | None]:
    """For each item the position (from 1) of the first one with its key, if that is an earlier one."""
    first: dict[str, int] = {}
    repeats: list[int | None] = []
    for position, item in enumerate(items, 1):
        earliest = position if item.key is None else first.setdefault(item.key, position)
        repeats.append(earliest if earliest < position else None)
    return repeats


def _turns(items: Sequence[NewItem]) -> list[int]:
    """For each item its place in the order of work: groups take turns, GROUP_ROUND items each."""
    seen: Counter[str] = Counter()
    order: list[tuple[int, str, int]] = []
    for index, item in enumerate(items):
        order.append((seen[item.group] // GROUP_ROUND if item.group else 0, item.group, index))
        seen[item.group] += 1
    turns = [0] * len(items)
    for turn, (_, _, index) in enumerate(sorted(order)):
        turns[index] = turn
    return turns


async def get(pool: Pool, account_id: str, id: str) -> Job:
    """A job of the account. Raises ApiError `not_found`."""
    row = await store.get(pool, account_id, id)
    if row is None:
        raise ApiError("not_found", f"There is no job {id}.")
    return _job(row)


async def results(
    pool: Pool, account_id: str, id: str, cursor: str | None, limit: int
) -> tuple[list[JobResult], str | None]:
    """A page of a job's items in their order, and the cursor of the next. Raises ApiError `not_found`."""
    await get(pool, account_id, id)
    after = cursors.decode(cursor, int) if cursor else 0
    rows = await store.results(pool, id, min(max(after, 0), 2**31 - 1), limit + 1)
    page = [_result(row) for row in rows[:limit]]
    return page, cursors.encode(page[-1].position) if len(rows) > limit else None


async def cancel(pool: Pool, caller: Caller, id: str) -> Job:
    """Ends a job early: what is done stays, what is pending is not begun. Raises ApiError `not_found`."""
    await get(pool, caller.account_id, id)
    async with pool.acquire() as connection, connection.transaction():
        if await store.end(connection, id, "cancelled", None):
            await _tell_end(connection, caller, id)
    return await get(pool, caller.account_id, id)


async def finish(pool: Pool, caller: Caller, id: str, error: str | None = None) -> None:
    """Ends a job whose items are all done, or that failed as a whole, with its event."""
    async with pool.acquire() as connection, connection.transaction():
        if await store.end(connection, id, "failed" if error else "completed", error):
            await _tell_end(connection, caller, id)


async def _tell_end(connection: Connection, caller: Caller, id: str) -> None:
    row = await store.get(connection, caller.account_id, id)
    assert row is not None
    job = _job(row)
    told = {
        "id": id,
        "kind": job.kind,
        "status": job.status,
        "total": job.total,
        "succeeded": job.succeeded,
        "failed": job.failed,
        "credits_deducted": job.credits_deducted,
    }
    kind = "job.completed" if job.status == "completed" else "job.failed"
    await events.append(connection, caller.account_id, kind, caller.actor, caller.request_id, told)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _job(row: asyncpg.Record) -> Job:
    return Job(
        id=row["id"],
        kind=row["kind"],
        status=row["status"],
        total=row["total"],
        succeeded=row["succeeded"],
        failed=row["failed"],
        pending=row["pending"],
        credits_deducted=row["credits_deducted"],
        error=row["error"],
        created_at=rfc3339(row["created_at"]),
        started_at=row["started_at"] and rfc3339(row["started_at"]),
        finished_at=row["finished_at"] and rfc3339(row["finished_at"]),
    )


def _result(row: asyncpg.Record) -> JobResult:
    return JobResult(
        position=row["position"],
        status=row["status"],
        input=msgspec.json.decode(row["input"]),
        data=msgspec.json.decode(row["result"]) if row["result"] else None,
        error=msgspec.json.decode(row["error"], type=ItemError) if row["error"] else None,
        cached=row["cached"],
        credits_deducted=row["credits_deducted"],
    )
