"""What one process hears from the others, and the sign that it lives."""

import asyncio
import secrets
import socket
from collections.abc import Callable
from datetime import datetime

import asyncpg
import msgspec
import structlog

from addtocrm.core.db.pool import DATABASE_FAILURES, Connection, Pool, connect

log = structlog.get_logger()

CHANNEL = "addtocrm"
LIVENESS_CLASS = 1096041283
HEARTBEAT_SECONDS = 5.0
RECONNECT_SECONDS = 0.2

NAME = "addtocrm on "
"""How a process calls itself to the database (`application_name`), and behind it its host."""
HOSTS = """
    select coalesce(nullif(split_part(application_name, $2, 2), ''), host(client_addr), '?') as name,
           count(*) as processes, min(backend_start) as since
    from pg_locks join pg_stat_activity using (pid)
    where locktype = 'advisory' and classid = $1 and objsubid = 2 and granted and datname = current_database()
    group by 1 order by 1
"""
BACK = "delete from lost_instances where instance = $1 or since < now() - interval '1 day'"


class Host(msgspec.Struct, frozen=True):
    """A machine with living processes, of which the first is connected `since` then."""

    name: str
    processes: int
    since: datetime


async def hosts(pool: Pool) -> list[Host]:
    """All machines that have processes on this database."""
    return [Host(*row) for row in await pool.fetch(HOSTS, LIVENESS_CLASS, NAME)]


class Listener:
    """Keeps one connection that LISTENs and holds the advisory lock of this process's instance number.

    `on_notice(kind, subject)` is called for each `kind:subject` sent on the channel; `on_lost()` as soon as
    notices may have been missed. While `connected` is False nothing may be believed from memory.
    """

    def __init__(self, url: str, on_notice: Callable[[str, str], None], on_lost: Callable[[], None]) -> None:
        self.instance = secrets.randbelow(2**31)
        self.connected = False
        self._url = url
        self._on_notice = on_notice
        self._on_lost = on_lost
        self._dropped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connects (raises if it cannot) and keeps the connection in the background."""
        connection = await self._open()
        self._task = asyncio.create_task(self._keep(connection))

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _open(self) -> "asyncpg.Connection[asyncpg.Record]":
        connection = await connect(self._url, {"application_name": NAME + socket.gethostname()})
        try:
            await connection.add_listener(CHANNEL, self._receive)
            await connection.execute("select pg_advisory_lock($1, $2)", LIVENESS_CLASS, self.instance, timeout=5)
            await connection.execute(BACK, self.instance)
        except BaseException:
            await connection.close(timeout=1)
            raise
        connection.add_termination_listener(lambda _: self._dropped.set())
        self._dropped.clear()
        self.connected = True
        return connection

    def _receive(self, _connection: Connection, _pid: int, _channel: str, payload: object) -> None:
        kind, _, subject = str(payload).partition(":")
        self._on_notice(kind, subject)

    async def _keep(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        try:
            while True:
                await self._until_dropped(connection)
                self.connected = False
                self._on_lost()
                log.warning("listener_lost")
                connection = await self._reopen()
                self._on_lost()
                log.info("listener_back")
        finally:
            self.connected = False
            connection.terminate()

    async def _until_dropped(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        while not connection.is_closed():
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._dropped.wait()
                return
            except TimeoutError:
                pass
            try:
                await connection.execute("select 1", timeout=HEARTBEAT_SECONDS)
            except DATABASE_FAILURES:
                connection.terminate()
                return

    async def _reopen(self) -> "asyncpg.Connection[asyncpg.Record]":
        while True:
            await asyncio.sleep(RECONNECT_SECONDS)
            try:
                return await self._open()
            except DATABASE_FAILURES:
                continue
