"""Leases: who works on what across processes and hosts, without a transaction or a connection held meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

import structlog

from addtocrm.core.db.pool import DATABASE_FAILURES, Pool

log = structlog.get_logger()

TTL_SECONDS = 15.0
"""A lease that is not prolonged ends after this. That its owner seems dead does not end it: an owner that lost its
connections for a moment goes on with its work."""
PROLONG_SECONDS = 4.0
LOOK_SECONDS = 2.0
"""A waiter looks again after this, should its notice have been lost."""


class Busy(Exception):
    """Somebody else has kept the lease for the whole time that was waited."""


class Lost(Exception):
    """The lease could not be prolonged and may be somebody else's by now."""


class Lease:
    """A lease that is held until `ends` (by the clock of the event loop), unless it is prolonged."""

    def __init__(self, ends: float) -> None:
        self.ends = ends

    def check(self) -> None:
        """To be called before what only the holder may do. Raises Lost."""
        if asyncio.get_running_loop().time() > self.ends:
            raise Lost


class Leased(list[Lease]):
    """Leases that are held together."""

    def check(self) -> None:
        """As `Lease.check`, of all. Raises Lost."""
        for lease in self:
            lease.check()


class Leases:
    """The leases of one process. `instance` is the number that it is known by."""

    def __init__(self, pool: Pool, instance: int) -> None:
        self._pool = pool
        self._instance = instance
        self._held: dict[int, Lease] = {}
        """By their fences."""
        self._keeper: asyncio.Task[None] | None = None
        self._queues: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._freed: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()

    def freed(self, name: str) -> None:
        """Wakes who waits for the lease: it was given back, here or elsewhere."""
        if event := self._freed.get(name):
            event.set()

    @asynccontextmanager
    async def hold(self, names: str | Collection[str], seconds: float) -> AsyncGenerator[Leased]:
        """Waits up to `seconds` for the leases and keeps them while the block lasts. Raises Busy.

        The waiters of this process queue up here, and one of them asks the database. All take several in one order.
        """
        wanted = sorted({names} if isinstance(names, str) else set(names))
        fences: list[int] = []
        async with AsyncExitStack() as queues:
            try:
                async with asyncio.timeout(seconds):
                    for name in wanted:
                        await queues.enter_async_context(self._queues.setdefault(name, asyncio.Lock()))
            except TimeoutError:
                raise Busy from None
            try:
                leased = Leased()
                try:
                    async with asyncio.timeout(seconds):
                        async for fence, began in self._take(wanted):
                            fences.append(fence)
                            leased.append(self._keep(fence, began))
                except TimeoutError:
                    raise Busy from None
                yield leased
            finally:
                for fence in fences:
                    self._held.pop(fence, None)
                # Also where the answer to the taking was not waited for: nobody else of this process can have them.
                await asyncio.shield(self._free(wanted))

    async def _take(self, names: Sequence[str]) -> AsyncGenerator[tuple[int, float]]:
        """The leases' fences in turn, each with the time from which it counts."""
        left = list(names)
        while left:
            freed = self._freed.setdefault(left[0], asyncio.Event())
            freed.clear()
            async with self._pool.acquire() as db:
                began = asyncio.get_running_loop().time()  # What was waited for a connection is not the lease's time.
                rows = await db.fetch(
                    "select fence, wait from leases_take($1, $2, $3)", left, self._instance, TTL_SECONDS
                )
            for row in rows:
                if row["fence"] is not None:
                    left.pop(0)
                    yield row["fence"], began
            if not left or rows[0]["fence"] is not None:
                continue
            try:
                async with asyncio.timeout(min(max(rows[0]["wait"] or 0, 0.01), LOOK_SECONDS)):
                    await freed.wait()
            except TimeoutError:
                continue

    def _keep(self, fence: int, began: float) -> Lease:
        lease = self._held[fence] = Lease(began + TTL_SECONDS)
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep_prolonging())
        return lease

    async def _keep_prolonging(self) -> None:
        """Prolongs all that are held, together, until there are none; one that is not prolonged in time is lost."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(PROLONG_SECONDS)
                if not self._held:
                    return
                try:
                    async with self._pool.acquire() as db:
                        began, held = loop.time(), dict(self._held)
                        there = await db.fetch(
                            """with ours as materialized (
                                   select name from leases where owner = $1 and fence = any($3::bigint[])
                                   order by name for update)
                               update leases l set ends_at = clock_timestamp() + make_interval(secs => $2)
                               from ours where l.name = ours.name returning l.fence""",
                            self._instance,
                            TTL_SECONDS,
                            list(held),
                            timeout=PROLONG_SECONDS,
                        )
                except DATABASE_FAILURES as error:
                    log.warning("leases_not_prolonged", error=type(error).__name__)
                    continue
                for fence in held.keys() & {row["fence"] for row in there}:
                    held.pop(fence).ends = began + TTL_SECONDS
                for lease in held.values():
                    lease.ends = 0.0
        finally:
            self._keeper = None

    async def _free(self, names: Sequence[str]) -> None:
        try:
            await self._pool.execute("select leases_free($1, $2)", names, self._instance)
        except DATABASE_FAILURES as error:
            log.warning("leases_not_freed", leases=len(names), error=type(error).__name__)
