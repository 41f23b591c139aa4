"""The rules of jobs: making, showing, cancelling and forgetting them. `runner` carries them out."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import asyncpg
import msgspec
import structlog

from addtocrm.core import cursors
from addtocrm.core.background import repeat
from addtocrm.core.caller import Caller, Scope
from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.errors import ApiError, lacks_scope
from addtocrm.core.idempotency.service import done_before, keep
from addtocrm.core.ids import new_id
from addtocrm.core.individuals import digests, packed, spoken_of
from addtocrm.core.times import rfc3339
from addtocrm.events import service as events
from addtocrm.jobs import store
from addtocrm.jobs.model import AnyJob, ItemError, ItemStatus, Job, JobResult, JobStatus, NewItem

log = structlog.get_logger()

GROUP_ROUND = 10
"""Items of one group that are begun before the next group has its turn."""
PAGE = 500
SETTLE_SECONDS = 5.0
SETTLE_POLL_SECONDS = 0.1
DELETE_SECONDS = 5.0
DELETED_AT_ONCE = 2_000
HELD_HOURS = 24
"""After so long a job that is held and was never begun is deleted."""


async def create(
    connection: Connection, caller: Caller, kind: str, scope: Scope, options: Any, items: Sequence[NewItem]
) -> Job:
    """A queued job, made in the transaction of `connection`: it runs once that commits.

    `kind` names its handler (see `runner`), `scope` is what a key needs to read or cancel it; `options` are
    JSON-encodable. The job is what the caller's request does: it is kept with its Idempotency-Key.
    """
    id = await _open(connection, caller, kind, scope, options)
    inputs, subjects = await asyncio.to_thread(_written, items)
    await store.add_items(connection, id, inputs, subjects, _repeats(items), _turns(items))
    return await _made(connection, caller, id)


def _written(items: Sequence[NewItem]) -> tuple[list[str], list[str]]:
    """What is asked for by each item, and whom it is about; beside the other requests, for there may be many."""
    inputs = [_json(one.input) for one in items]
    return inputs, [packed(digests(spoken_of(msgspec.json.decode(one)))) for one in inputs]


async def create_selected(
    connection: Connection, caller: Caller, kind: str, scope: Scope, options: Any, query: str, *values: object
) -> Job:
    """As `create`, its items by a query that gives each its `place` (their order), `input` (JSON) and
    `subjects` (see individuals.py): however many
    they are, they do not pass through this process."""
    id = await _open(connection, caller, kind, scope, options)
    await store.add_selected(connection, id, query, *values)
    return await _made(connection, caller, id)


async def create_after(
    connection: Connection,
    caller: Caller,
    kind: str,
    scope: Scope,
    options: Any,
    before: tuple[str, str],
    position: int | None,
    field: str | None,
    changes: dict[str, Any],
) -> Job:
    """As `create`, its items made of those (or the one at `position`) that succeeded in a job `before` (its id and
    kind): what each found as `field`, or where that is None what each was asked, with `changes`."""
    values = (caller.account_id, *before, position, field, _json(changes))
    return await create_selected(connection, caller, kind, scope, options, store.ITEMS_OF_ANOTHER, *values)


async def submit(
    pool: Pool, caller: Caller, kind: str, scope: Scope, items: Sequence[NewItem], held: Any = None
) -> Job:
    """As `create`, in a transaction of its own. One that is `held` waits for `start`; what is given for it is told by
    `held`."""
    if before := done_before(caller.once, Job):
        return before
    async with pool.acquire() as connection, connection.transaction():
        job = await create(connection, caller, kind, scope, {} if held is None else held, items)
        if held is not None:
            await store.hold(connection, job.id)
        return job


async def held(pool: Pool, account_id: str, id: str) -> Any:
    """What a job is held with; None for one that is not held."""
    options = await store.held(pool, account_id, id)
    return msgspec.json.decode(options) if options else None


async def start(pool: Pool, account_id: str, id: str) -> None:
    """Lets a job that is held begin; one that has begun goes on."""
    async with pool.acquire() as connection, connection.transaction():
        if await store.start(connection, account_id, id):
            await store.notify(connection, id)


async def discard(pool: Pool, account_id: str, id: str) -> bool:
    """Deletes a job that is held; False where it is not held any more."""
    discarded = await store.discard(pool, account_id, id)
    if discarded:
        await store.tell_of_progress(pool, [id])
    return discarded


async def _open(connection: Connection, caller: Caller, kind: str, scope: Scope, options: Any) -> str:
    id = new_id("job")
    await store.insert(connection, id, caller.account_id, kind, scope, _stored(caller), _json(options))
    return id


async def _made(connection: Connection, caller: Caller, id: str) -> Job:
    row = await store.get(connection, caller.account_id, id)
    assert row is not None
    job = _job(row)
    await keep(connection, caller.once, job)
    return job


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


async def get(pool: Pool, account_id: str, id: str, scopes: Collection[str] | None = None) -> Job:
    """A job of the account, for a key with `scopes` (None: for the operator).

    Raises ApiError `not_found`, `scope_required` where the job was made with a scope that is not among them.
    """
    return _job(await _row(pool, account_id, id, scopes))


async def _row(pool: Pool, account_id: str, id: str, scopes: Collection[str] | None) -> asyncpg.Record:
    row = await store.get(pool, account_id, id)
    if row is None:
        raise ApiError("not_found", f"There is no job {id}.")
    if scopes is not None and row["scope"] not in scopes:
        raise lacks_scope([row["scope"]], scopes)
    return row


async def page(pool: Pool, account_id: str, cursor: str | None, limit: int) -> tuple[list[Job], str | None]:
    """A page of an account's jobs, the latest first, and the cursor of the next."""
    rows = await store.page(pool, account_id, cursors.decode(cursor, str) if cursor else None, limit + 1)
    shown = [_job(row) for row in rows[:limit]]
    return shown, cursors.encode(shown[-1].id) if len(rows) > limit else None


async def result(pool: Pool, account_id: str, id: str, position: int) -> JobResult:
    """One item of a job. Raises ApiError `not_found`."""
    await _row(pool, account_id, id, None)
    row = await store.result(pool, id, position) if 0 < position < 2**31 else None
    if row is None:
        raise ApiError("not_found", f"There is no item {position} in this job.")
    return _result(row)


async def of_request(pool: Pool, account_id: str, request_id: str) -> Job | None:
    """The job that a request began."""
    row = await store.of_request(pool, account_id, request_id)
    return _job(row) if row else None


async def request_of(pool: Pool, account_id: str, id: str) -> str:
    """The id of the request that began a job. Raises ApiError as `get`."""
    return msgspec.json.decode((await _row(pool, account_id, id, None))["caller"], type=Caller).request_id


async def results(
    pool: Pool,
    account_id: str,
    id: str,
    cursor: str | None,
    limit: int,
    scopes: Collection[str] | None = None,
    status: ItemStatus | None = None,
) -> tuple[list[JobResult], str | None]:
    """A page of a job's items in their order, all or those of a status, and the cursor of the next. Raises ApiError as
    `get`."""
    await _row(pool, account_id, id, scopes)
    after = cursors.decode(cursor, int) if cursor else 0
    rows = await store.results(pool, id, min(max(after, 0), 2**31 - 1), limit + 1, status)
    page = [_result(row) for row in rows[:limit]]
    return page, cursors.encode(page[-1].position) if len(rows) > limit else None


async def pages(pool: Pool, id: str) -> AsyncIterator[list[JobResult]]:
    """All items of a job, page by page."""
    after = 0
    while rows := await store.results(pool, id, after, PAGE):
        after = rows[-1]["position"]
        yield [_result(row) for row in rows]


async def cancel(pool: Pool, caller: Caller, id: str, scopes: Collection[str] | None = None) -> Job:
    """Ends a job early: what is done stays, what is pending is not begun. Raises ApiError as `get`.

    What is under way is settled first. That is waited for SETTLE_SECONDS at most; where it takes longer, the job is
    `running` until then. Once it is `cancelled`, its figures are final.
    """
    await _row(pool, caller.account_id, id, scopes)
    async with pool.acquire() as connection, connection.transaction():
        nobodys = await store.cancel(connection, caller.account_id, id, _stored(caller))
        if nobodys:
            await _end(connection, caller, id, "cancelled", None)
        else:
            await store.notify(connection, id)
    for _ in range(round(SETTLE_SECONDS / SETTLE_POLL_SECONDS)):
        job = await get(pool, caller.account_id, id)
        if job.status not in ("queued", "running"):
            return job
        await asyncio.sleep(SETTLE_POLL_SECONDS)
    return await get(pool, caller.account_id, id)


async def all_jobs(pool: Pool, cursor: str | None, limit: int, *, only_open: bool) -> tuple[list[AnyJob], str | None]:
    """A page of the jobs of all accounts, the newest first, and the cursor of the next. Raises ApiError."""
    rows = await store.all_jobs(pool, cursors.decode(cursor, str) if cursor else None, limit + 1, only_open=only_open)
    found = [
        AnyJob(**msgspec.structs.asdict(_job(row)), account_id=row["account_id"], account_email=row["account_email"])
        for row in rows[:limit]
    ]
    return found, cursors.encode(found[-1].id) if len(rows) > limit else None


async def owner(pool: Pool, id: str) -> str:
    """The account that has a job. Raises ApiError `not_found`."""
    account_id = await store.owner(pool, id)
    if account_id is None:
        raise ApiError("not_found", f"There is no job {id}.")
    return account_id


async def depths(pool: Pool) -> dict[str, int]:
    """How many jobs are queued and running, and how many items of theirs are pending."""
    return dict(await store.depths(pool))


async def finish(pool: Pool, caller: Caller, id: str, error: str | None = None) -> None:
    """Ends a job of which nothing is under way, with its event: all of it is done, it was cancelled, or it failed as a
    whole."""
    async with pool.acquire() as connection, connection.transaction():
        row = await store.get(connection, caller.account_id, id)
        if row is not None and row["cancelled_by"]:
            await _end(connection, msgspec.json.decode(row["cancelled_by"], type=Caller), id, "cancelled", None)
        else:
            await _end(connection, caller, id, "failed" if error else "completed", error)


async def _end(connection: Connection, caller: Caller, id: str, status: JobStatus, error: str | None) -> None:
    row = await store.end(connection, id, status, error)
    if row is None:
        return
    await store.tell_of_progress(connection, [id])
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


async def keep_deleting(pool: Pool, days: float) -> None:
    """Deletes jobs that ended longer ago than `days`, with their items, a few at a time, for as long as the process
    lives."""

    async def delete() -> None:
        while id := await store.oldest_ended(pool, days):
            while not await store.delete_some(pool, id, DELETED_AT_ONCE):
                await asyncio.sleep(0.01)
        await store.discard_left(pool, HELD_HOURS)

    await repeat("delete_jobs", DELETE_SECONDS, delete)


def _stored(caller: Caller) -> str:
    """The caller as it is kept with the job, whose work is not that of the request any more."""
    return _json(msgspec.structs.replace(caller, once=None))


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
