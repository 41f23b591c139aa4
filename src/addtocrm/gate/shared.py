"""Rate limits without Valkey: in this process while it is alone on the database, else in PostgreSQL."""

import asyncio
import contextlib
from typing import Literal

import structlog

from addtocrm.core import metrics
from addtocrm.core.db.notify import Listener
from addtocrm.core.db.pool import DATABASE_FAILURES, Pool
from addtocrm.gate import store
from addtocrm.gate.limits import HOUR, MemoryLimiter, Standing

log = structlog.get_logger()

WATCH_SECONDS = 0.5
JOIN_POLL_SECONDS = 0.05
JOIN_SECONDS = 10.0
ALONE_SECONDS = 5.0
"""For so long no other server must live before counts come back from the database."""
TAKE_SECONDS = 5.0

Place = Literal["memory", "database", "lost"]


class SharedLimiter:
    """Exact for any number of workers and hosts on one database.

    A server that comes waits until all others count in the database too; one that is alone takes the counts into its
    memory, where they cost nothing. While the database is lost each process counts for itself, with a warning and a
    metric.
    """

    def __init__(self, pool: Pool, listener: Listener) -> None:
        self._pool = pool
        self._listener = listener
        self._memory = MemoryLimiter()
        self._place: Place = "lost"
        self._steady = asyncio.Event()
        """Not set while counts are on their way from one place to the other."""
        self._under_way = 0
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Joins the servers of the database; to be awaited before the first request."""
        await self._join()
        await self._keep_to_itself()
        self._watching = asyncio.create_task(self._watch())

    async def take(self, subject: str, per_minute: int, per_hour: int, cost: int = 1) -> Standing:
        if self._place == "memory" and self._steady.is_set():
            return await self._memory.take(subject, per_minute, per_hour, cost)
        try:
            async with asyncio.timeout(TAKE_SECONDS):
                await self._steady.wait()
                if self._place == "database":
                    return await self._take(subject, per_minute, per_hour, cost)
        except DATABASE_FAILURES as error:
            log.warning("rate_limit_fallback", error=type(error).__name__)
        if self._place != "memory":
            metrics.RATE_LIMIT_FALLBACKS.inc()
        return await self._memory.take(subject, per_minute, per_hour, cost)

    async def _take(self, subject: str, per_minute: int, per_hour: int, cost: int) -> Standing:
        self._under_way += 1
        try:
            row = await store.take(self._pool, subject, per_minute, per_hour, cost)
        finally:
            self._under_way -= 1
        return Standing(row["allowed"], row["now"], per_minute, per_hour, row["used_minute"], row["used_hour"])

    async def _join(self) -> None:
        """Counts in the database from now on, once nobody counts elsewhere."""
        self._steady.clear()
        try:
            async with self._pool.acquire() as connection:
                async with connection.transaction():
                    await store.lock(connection)
                    await store.add(connection, self._memory.counts())
                    elsewhere = await store.join(connection, self._listener.instance)
                self._memory.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(JOIN_SECONDS):
                        while elsewhere:
                            await asyncio.sleep(JOIN_POLL_SECONDS)
                            elsewhere = await store.join(connection, self._listener.instance)
            if elsewhere:
                log.warning("rate_limits_not_shared", servers=elsewhere)
            self._place = "database"
        finally:
            self._steady.set()

    async def _keep_to_itself(self) -> None:
        """Counts in this process from now on, unless another server lives."""
        self._steady.clear()
        try:
            while self._under_way:
                await asyncio.sleep(JOIN_POLL_SECONDS)
            async with self._pool.acquire() as connection, connection.transaction():
                counts = await store.withdraw(connection, self._listener.instance)
            if counts is not None:
                self._memory.load(counts)
                self._place = "memory"
        finally:
            self._steady.set()

    async def _watch(self) -> None:
        """Looks for servers that come and go, for as long as the process lives."""
        loop = asyncio.get_running_loop()
        alone_since: float | None = None
        swept = loop.time()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            try:
                if not self._listener.connected:
                    raise ConnectionError
                others = await store.others(self._pool, self._listener.instance)
                if others is None or self._place == "lost" or (others and self._place == "memory"):
                    await self._join()
                if others:
                    alone_since = None
                elif self._place == "database":
                    alone_since = alone_since or loop.time()
                    if loop.time() - alone_since >= ALONE_SECONDS:
                        await self._keep_to_itself()
                if self._place == "database" and loop.time() - swept >= HOUR:
                    await store.sweep(self._pool)
                    swept = loop.time()
            except DATABASE_FAILURES as error:
                if self._place != "lost":
                    log.warning("rate_limits_lost", error=type(error).__name__)
                self._place = "lost"

    async def close(self) -> None:
        """Leaves the counts to the other servers, and to the next one."""
        if self._watching:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        with contextlib.suppress(*DATABASE_FAILURES):
            async with self._pool.acquire() as connection, connection.transaction():
                await store.add(connection, self._memory.counts())
                await store.leave(connection, self._listener.instance)
