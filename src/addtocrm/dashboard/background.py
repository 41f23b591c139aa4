"""Work that a page begins and does not wait for."""

import asyncio
from collections.abc import Coroutine
from typing import Any

UNDER_WAY: set[asyncio.Task[None]] = set()


def in_background(work: Coroutine[Any, Any, None]) -> None:
    """Does `work` beside the answer, which is as fast whatever there is to do."""
    task = asyncio.create_task(work)
    UNDER_WAY.add(task)
    task.add_done_callback(UNDER_WAY.discard)
