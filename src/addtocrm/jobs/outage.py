"""Whether the database is away, which is waited for, or something else failed, which is not."""

import asyncio

import asyncpg
import structlog

from addtocrm.core.db.pool import LOST, Pool
from addtocrm.core.errors import ApiError

log = structlog.get_logger()

PROBE_SECONDS = 5.0
POLL_SECONDS = 0.5

DOUBTFUL = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""A lost connection shows itself so, and so does a vendor that does not answer."""
PASSING = (
    *DOUBTFUL,
    *LOST,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.LockNotAvailableError,
)
"""What may be otherwise at the next try."""


class Outage:
    """The database as this process sees it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._over: asyncio.Task[None] | None = None

    async def caused(self, error: BaseException) -> bool:
        """Whether `error` came of a lost connection to the database."""
        if isinstance(error, LOST):
            return True
        doubtful = isinstance(error, DOUBTFUL) and not isinstance(error, asyncpg.DataError)
        return (doubtful or _provider_failed(error)) and not await self._answers()

    def may_pass(self, error: BaseException) -> bool:
        """Whether it makes sense to try again what failed with `error`."""
        return (isinstance(error, PASSING) and not isinstance(error, asyncpg.DataError)) or _provider_failed(error)

    async def over(self) -> None:
        """Waits until the database answers; all who wait ask it together."""
        if self._over is None or self._over.done():
            self._over = asyncio.create_task(self._watch())
        await asyncio.shield(self._over)

    async def _watch(self) -> None:
        await asyncio.sleep(POLL_SECONDS)
        while not await self._answers():
            await asyncio.sleep(POLL_SECONDS)

    async def _answers(self) -> bool:
        try:
            await self._pool.fetchval("select 1", timeout=PROBE_SECONDS)
        except Exception as error:
            log.debug("database_away", error=type(error).__name__)
            return False
        return True


def _provider_failed(error: BaseException) -> bool:
    return isinstance(error, ApiError) and error.type == "internal_error"
