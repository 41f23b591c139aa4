"""Work on our own database that must not be lost."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import structlog

from addtocrm.core.db.pool import DATABASE_FAILURES

log = structlog.get_logger()

OUR_FAULT = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, asyncpg.SyntaxOrAccessError)
"""What a statement fails at however often it is tried."""
KEEP_SECONDS = 60.0
KEEP_PAUSE_SECONDS = 0.5


async def surely(work: Callable[[], Awaitable[None]]) -> None:
    """Writes what must not be lost: while the database is away it is tried again, for KEEP_SECONDS."""
    until = asyncio.get_running_loop().time() + KEEP_SECONDS
    while True:
        try:
            return await work()
        except DATABASE_FAILURES as error:
            if isinstance(error, OUR_FAULT) or asyncio.get_running_loop().time() > until:
                raise
            log.warning("crm_not_kept_yet", error=type(error).__name__)
            await asyncio.sleep(KEEP_PAUSE_SECONDS)
