"""Carries jobs out, in a process of its own: a DBOS workflow a job, recovered after a crash on any host.

What is done is kept item by item in our own tables, so a recovered job goes on where it stopped.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import structlog

from addtocrm.db.pool import Pool
from addtocrm.errors import ApiError
from addtocrm.jobs import service, store
from addtocrm.jobs.model import Item, ItemError
from addtocrm.lookups.model import Answer, Caller

log = structlog.get_logger()

IDLE_SECONDS = 0.5
REFILL_PART = 5
"""The next items are fetched when this part of those at once has become free."""
LONGEST_WAIT = 3600.0
DATABASE_FAILURES = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
AGAIN = ("crm_rate_limit", "crm_unavailable")


class Postponed(Exception):
    """Raised by a handler whose item is to be tried again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:g} s")
        self.seconds = seconds


class Kind(msgspec.Struct, frozen=True):
    """A kind of job. `handle(caller, options, item)` does one item and gives its JSON-encodable result, or the
    Answer of a look-up.

    An ApiError becomes the item's error, unless it says when to come back. Doing an item twice must do no harm:
    a crash may come between the work and its record. `at_once` items are under way at a time, shared by its
    jobs; where they are `cancellable` they are cut off with their job, else they are done to their end.
    """

    name: str
    handle: Callable[[Caller, dict[str, Any], Item], Awaitable[Any]]
    at_once: int = 8
    cancellable: bool = False


class Runner:
    """Runs one job at a time for each call of `run`; any number of calls at once."""

    def __init__(self, pool: Pool, kinds: Mapping[str, Kind]) -> None:
        self._pool = pool
        self._kinds = kinds
        self._running: set[asyncio.Task[None]] = set()
        self._jobs: Counter[str] = Counter()
        self.carried: set[str] = set()
        """The jobs that this process is at."""
        self.begun = 0
        """How many it has begun."""

    async def stop(self) -> None:
        """Leaves the jobs where they stand; another process, or this one's successor, goes on with them."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def run(self, id: str) -> None:
        """Carries a job out to its end, or until it is cancelled; waits while the database is away."""
        task = asyncio.create_task(self._persist(id))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        self.carried.add(id)
        self.begun += 1
        try:
            await task
        finally:
            self.carried.discard(id)

    async def _persist(self, id: str) -> None:
        while True:
            try:
                await self._run(id)
                return
            except DATABASE_FAILURES as error:
                log.warning("job_waits_for_database", job=id, error=type(error).__name__)
                await asyncio.sleep(IDLE_SECONDS)

    async def _run(self, id: str) -> None:
        row = await store.start(self._pool, id)
        if row is None:
            return
        caller = msgspec.json.decode(row["caller"], type=Caller)
        structlog.contextvars.bind_contextvars(request_id=caller.request_id, job=id)
        kind = self._kinds.get(row["kind"])
        if kind is None:
            await service.finish(self._pool, caller, id, f"No handler for {row['kind']}.")
            return
        options = msgspec.json.decode(row["options"])
        active: dict[int, asyncio.Task[None]] = {}
        self._jobs[kind.name] += 1
        try:
            while (wait := await self._refill(id, kind, caller, options, active)) is not None or active:
                if wait is None and kind.cancellable:
                    break
                if active:
                    await asyncio.wait(active.values(), return_when="FIRST_COMPLETED", timeout=IDLE_SECONDS)
                else:
                    await asyncio.sleep(min(max(wait or 0, 0.01), IDLE_SECONDS))
                for position in [p for p, task in active.items() if task.done()]:
                    active.pop(position).result()
        finally:
            self._jobs[kind.name] -= 1
            for task in active.values():
                task.cancel()
        await service.finish(self._pool, caller, id)

    async def _refill(
        self,
        id: str,
        kind: Kind,
        caller: Caller,
        options: dict[str, Any],
        active: dict[int, "asyncio.Task[None]"],
    ) -> float | None:
        """Starts items until the job's share of `at_once` is under way; gives the seconds until the next is due, None
        at the end."""
        share = max(kind.at_once // self._jobs[kind.name], 1)
        free = share - len(active)
        if free > share // REFILL_PART or not active:
            for row in await store.due(self._pool, id, list(active), free):
                item = Item(row["position"], msgspec.json.decode(row["input"]), row["attempts"], row["since"])
                active[item.position] = asyncio.create_task(self._do(id, kind, caller, options, item))
        return await store.wait_seconds(self._pool, id)

    async def _do(self, id: str, kind: Kind, caller: Caller, options: dict[str, Any], item: Item) -> None:
        try:
            result = await kind.handle(caller, options, item)
        except Postponed as later:
            await self._postpone(id, item, later.seconds)
        except ApiError as error:
            if error.type in AGAIN:
                await self._postpone(id, item, float(error.retry_after_seconds or 5))
            else:
                await self._settle(id, item, "failed", None, ItemError(error.type, error.message))
        except DATABASE_FAILURES:
            raise
        except Exception:
            log.exception("job_item_crashed", position=item.position)
            failure = ItemError("internal_error", "Something failed on our side; nothing was charged.")
            await self._settle(id, item, "failed", None, failure)
        else:
            await self._settle(id, item, "succeeded", result, None)

    async def _postpone(self, id: str, item: Item, seconds: float) -> None:
        until = datetime.now(UTC) + timedelta(seconds=min(max(seconds, 0.05), LONGEST_WAIT))
        await store.postpone(self._pool, id, item.position, until)

    async def _settle(self, id: str, item: Item, status: str, result: Any, error: ItemError | None) -> None:
        cached = credits_deducted = encoded = None
        if isinstance(result, Answer):
            cached, credits_deducted = result.cached, result.credits_deducted
            encoded = result.data.decode()
        elif status == "succeeded":
            encoded = msgspec.json.encode(result).decode()
        reason = msgspec.json.encode(error).decode() if error else None
        await store.settle(self._pool, id, item.position, status, encoded, reason, cached, credits_deducted)
