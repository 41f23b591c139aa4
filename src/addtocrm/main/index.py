"""The process that keeps this host's search index as the people table is, forked by `addtocrm serve`.

It ends with its parent.
"""

import asyncio
import os
import signal

import structlog

from addtocrm.core import logs
from addtocrm.core import settings as settings_module
from addtocrm.core.db.folders import data_folder
from addtocrm.core.db.pool import open_pool
from addtocrm.sources.index import folder
from addtocrm.sources.index.follow import Follower

log = structlog.get_logger()

PARENT_POLL_SECONDS = 0.5


def process(parent: int) -> int:
    """Follows until a signal ends it, or the process `parent` does; gives the exit code."""
    try:
        asyncio.run(_main(parent))
    except Exception:
        log.exception("index_process_failed")
        return 1
    return 0


async def _main(parent: int) -> None:
    settings = settings_module.load()
    logs.configure(settings.log_level)
    assert settings.database_url is not None
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    ending = asyncio.create_task(_stop_with(parent, stop))
    pool = await open_pool(settings.database_url, size=2)
    try:
        await Follower(pool, folder.root(data_folder(settings.data_dir))).run(stop)
    finally:
        ending.cancel()
        await pool.close()


async def _stop_with(parent: int, stop: asyncio.Event) -> None:
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_POLL_SECONDS)
    stop.set()
