"""Changing a list: changes of one list follow each other."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

import asyncpg

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.errors import ApiError
from addtocrm.lists import store

_turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()


@asynccontextmanager
async def changing(pool: Pool, account_id: str, id: str) -> AsyncGenerator[tuple[Connection, asyncpg.Record]]:
    """The transaction of a change, and the list, its row locked. Changes of one list wait here for each other, so that
    however many a process makes, one of them has a connection. Raises ApiError `not_found`."""
    async with (
        _turns.setdefault((account_id, id), asyncio.Lock()),
        pool.acquire() as connection,
        connection.transaction(),
    ):
        row = await store.lock(connection, account_id, id)
        if row is None:
            raise unknown(id)
        yield connection, row


def unknown(id: str) -> ApiError:
    return ApiError("not_found", f"There is no list {id}; GET /v1/lists shows them.")
