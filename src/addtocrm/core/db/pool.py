"""Connections to PostgreSQL."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    # asyncpg's classes are generic for type checkers only.
    Pool: TypeAlias = asyncpg.Pool
    Connection: TypeAlias = asyncpg.Connection | PoolConnectionProxy

OLDEST_MAJOR = 15
COMMAND_SECONDS = 30.0

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)
"""What a database says, or is said of it, that goes away or is not there yet."""
CONNECTION_FAILURES = (
    *LOST,
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What a database that cannot be reached raises. The last is what asyncpg says of a connection that died in the middle
of an operation."""
DATABASE_FAILURES = (*CONNECTION_FAILURES, asyncpg.PostgresError)
"""The same, and what a statement that fails raises."""
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
SESSION = {"application_name": "addtocrm", "timezone": "UTC"}


class DatabaseError(Exception):
    """The database cannot be used; the message says why and what to do."""


async def connect(url: str, session: Mapping[str, str] = NO_SETTINGS) -> "asyncpg.Connection[asyncpg.Record]":
    """One connection outside any pool (LISTEN, advisory locks of a process), with the settings `session`."""
    return await asyncpg.connect(url, server_settings={**SESSION, **session}, timeout=10)


async def _leave_as_it_is(_: Connection) -> None:
    """An open transaction is rolled back before this; nothing else of a session is ever changed, and clearing it
    all the same would double the round trips."""


async def open_pool(url: str, *, size: int = 20, session: Mapping[str, str] = NO_SETTINGS) -> Pool:
    """A pool of at most `size` connections, whose sessions have the settings `session`.

    Raises DatabaseError for a PostgreSQL older than 15.
    """
    pool = await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        command_timeout=COMMAND_SECONDS,
        timeout=10,
        server_settings={**SESSION, **session},
        reset=_leave_as_it_is,
    )
    async with pool.acquire() as connection:
        major = connection.get_server_version().major
    if major < OLDEST_MAJOR:
        await pool.close()
        raise DatabaseError(f"PostgreSQL {major} is too old: AddToCRM needs {OLDEST_MAJOR} or newer.")
    return pool
