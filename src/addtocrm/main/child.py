"""How a process lives that `addtocrm serve` forked: until a signal ends it, or its parent is gone."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import structlog

from addtocrm.core import logs
from addtocrm.core import settings as settings_module
from addtocrm.core.settings import Settings

if sys.platform == "win32":
    from asyncio import run
else:
    from uvloop import run

log = structlog.get_logger()

PARENT_POLL_SECONDS = 0.5

Work = Callable[[Settings, asyncio.Event], Awaitable[None]]


def live(parent: int, work: Work) -> int:
    """Does `work` until it ends; its event is set by a signal, and when the process `parent` is gone, also when that
    died before this one looked. Gives the exit code."""
    try:
        run(_live(parent, work))
    except Exception:
        log.exception("process_failed")
        return 1
    return 0


async def _live(parent: int, work: Work) -> None:
    settings = settings_module.load()
    logs.configure(settings.log_level)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watching = asyncio.create_task(_stop_with(parent, stop))
    try:
        await work(settings, stop)
    finally:
        watching.cancel()


async def _stop_with(parent: int, stop: asyncio.Event) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_POLL_SECONDS)
    stop.set()
