"""The politeness limits, shared by all processes and hosts that use one database."""

import asyncio
import random
import zlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from addtocrm.db.pool import Connection, connect
from addtocrm.emails.politeness import PAUSE_SECONDS, PER_HOST, TOTAL, LocalSlots

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
        self._total = total
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
            anywhere = [(TOTAL_CLASS, place) for place in range(self._total)]
            taken: list[Lock] = []
            try:
                for choices in (places, anywhere, [(START_CLASS, number)]):
                    taken.append(await self._one_of(choices))
                self._release_later(taken.pop())
                yield
            finally:
                await asyncio.shield(self._release(taken))

    async def rest(self, host: str, seconds: float) -> None:
        await self._local.rest(host, seconds)
        try:
            async with self._turn:
                await (await self._open()).execute("select pg_notify($1, $2)", CHANNEL, f"{seconds:.0f} {host}")
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._drop()

    async def close(self) -> None:
        await asyncio.gather(*self._releases, return_exceptions=True)
        if self._connection is not None:
            await self._connection.close(timeout=1)

    async def _one_of(self, choices: list[Lock]) -> Lock:
        """Waits until one of the locks is ours."""
        while True:
            free = [lock for lock in choices if lock not in self._held]
            for lock in random.sample(free, min(len(free), self._per_host)):
                if await self._try(lock):
                    return lock
            await asyncio.sleep(POLL_SECONDS * random.uniform(0.5, 1.5))  # noqa: S311

    async def _try(self, lock: Lock) -> bool:
        async with self._turn:
            if lock in self._held:
                return False
            try:
                connection = await self._open()
                got = bool(await connection.fetchval("select pg_try_advisory_lock($1, $2)", *lock))
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                self._drop()
                got = True
            if got:
                self._held.add(lock)
            return got

    async def _release(self, locks: list[Lock]) -> None:
        async with self._turn:
            for lock in locks:
                self._held.discard(lock)
                try:
                    if self._connection is not None:
                        await self._connection.execute("select pg_advisory_unlock($1, $2)", *lock)
                except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    self._drop()

    def _release_later(self, lock: Lock) -> None:
        """Keeps others from starting for the length of the pause."""

        async def wait() -> None:
            await asyncio.sleep(self._pause)
            await self._release([lock])

        task = asyncio.create_task(wait())
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
