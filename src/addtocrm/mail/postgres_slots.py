"""The politeness limits, shared by all processes and hosts that use one database."""

import asyncio
import contextlib
import random
import zlib
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from addtocrm.core.db.pool import DATABASE_FAILURES, Connection, connect
from addtocrm.mail.politeness import PAUSE_SECONDS, PER_HOST, TOTAL, LocalSlots

CHANNEL = "addtocrm_mail_hosts"
POLL_SECONDS = 0.05
TOTAL_CLASS = 1096041284
PLACE_CLASSES = range(1096041300, 1096041400)
START_CLASS = 1096041285


Lock = tuple[int, int]
"""The two halves of a PostgreSQL advisory lock's key."""


class PostgresSlots:
    """Places as advisory locks of one connection, which a dead process gives back by itself.

    The process's own waiters queue in `LocalSlots` first, so that at most `total` of them ask the database. That
    a host blocked one process is told to all that are running. While the database can't be reached, the limits
    hold within each process. Call `close()` at the end.
    """

    def __init__(self, url: str, per_host: int = PER_HOST, total: int = TOTAL, pause: float = PAUSE_SECONDS) -> None:
        self._local = LocalSlots(per_host, total, pause)
        self._url = url
        self._per_host = per_host
        self._anywhere = [(TOTAL_CLASS, place) for place in range(total)]
        self._pause = pause
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._held: set[Lock] = set()
        self._turn = asyncio.Lock()
        self._releases: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def connection(self, host: str) -> AsyncGenerator[None]:
        async with self._local.connection(host):
            number = zlib.crc32(host.encode()) - 2**31
            places = [(PLACE_CLASSES[place], number) for place in range(self._per_host)]
            place, total, start = await self._one_of_each(places, self._anywhere, [(START_CLASS, number)])
            self._release_later(start)
            try:
                yield
            finally:
                await asyncio.shield(self._release([place, total]))

    async def rest(self, host: str, seconds: float) -> None:
        await self._local.rest(host, seconds)
        try:
            async with self._turn:
                await (await self._open()).execute("select pg_notify($1, $2)", CHANNEL, f"{seconds:.0f} {host}")
        except DATABASE_FAILURES:
            self._drop()

    async def close(self) -> None:
        await asyncio.gather(*self._releases, return_exceptions=True)
        if self._connection is not None:
            with contextlib.suppress(*DATABASE_FAILURES):  # It is cut off then.
                await self._connection.close(timeout=1)

    async def _one_of_each(self, *choices: list[Lock]) -> list[Lock]:
        """Waits until one lock of each kind is ours; none is held meanwhile."""
        while True:
            for _ in range(self._per_host):
                free = [[lock for lock in kind if lock not in self._held] for kind in choices]
                if not all(free):
                    break
                locks = [random.choice(kind) for kind in free]  # noqa: S311
                attempt = asyncio.create_task(self._try(locks))
                try:
                    if await asyncio.shield(attempt):
                        return locks
                except asyncio.CancelledError:
                    self._later(self._undo(attempt, locks))
                    raise
            await asyncio.sleep(POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311

    async def _try(self, locks: list[Lock]) -> bool:
        """Takes all of the locks or none; all where the database can't be asked."""
        async with self._turn:
            if self._held.intersection(locks):
                return False
            self._held.update(locks)
            try:
                got = [row["got"] for row in await self._each("pg_try_advisory_lock", locks)]
            except DATABASE_FAILURES:
                self._drop()
                return True
        if all(got):
            return True
        self._held.difference_update(lock for lock, one in zip(locks, got, strict=True) if not one)
        await self._release([lock for lock, one in zip(locks, got, strict=True) if one])
        return False

    async def _undo(self, attempt: asyncio.Task[bool], locks: list[Lock]) -> None:
        if await attempt:
            await self._release(locks)

    async def _release(self, locks: list[Lock]) -> None:
        async with self._turn:
            self._held.difference_update(locks)
            try:
                if locks and self._connection is not None:
                    await self._each("pg_advisory_unlock", locks)
            except DATABASE_FAILURES:
                self._drop()

    async def _each(self, function: str, locks: list[Lock]) -> list[asyncpg.Record]:
        return await (await self._open()).fetch(
            f"select {function}(class, number) as got from unnest($1::int[], $2::int[]) as locks (class, number)",
            [lock[0] for lock in locks],
            [lock[1] for lock in locks],
        )

    def _release_later(self, lock: Lock) -> None:
        """Keeps others from starting for the length of the pause."""

        async def wait() -> None:
            await asyncio.sleep(self._pause)
            await self._release([lock])

        self._later(wait())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)

    async def _open(self) -> "asyncpg.Connection[asyncpg.Record]":
        if self._connection is None or self._connection.is_closed():
            self._connection = await connect(self._url)
            await self._connection.add_listener(CHANNEL, self._hear)
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    def _hear(self, _connection: Connection, _pid: int, _channel: str, payload: object) -> None:
        seconds, _, host = str(payload).partition(" ")
        self._local.leave_alone(host, float(seconds))
