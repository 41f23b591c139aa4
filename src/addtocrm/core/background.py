"""Work beside the requests, for as long as a process lives."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from addtocrm.core.db.pool import DATABASE_FAILURES

log = structlog.get_logger()

LONGEST_SECONDS = 300.0
"""A turn that takes longer hangs; the next one begins anew."""


async def repeat(name: str, seconds: float, work: Callable[[], Awaitable[None]]) -> NoReturn:
    """Does `work` again and again, with `seconds` between two turns. A turn that fails is logged as `name`, and does
    not end the work."""
    while True:
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await work()
        except DATABASE_FAILURES as error:
            log.warning("background_failed", work=name, error=type(error).__name__)
        except Exception:
            log.exception("background_failed", work=name)
        await asyncio.sleep(seconds)
