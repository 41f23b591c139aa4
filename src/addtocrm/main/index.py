"""The process that keeps this host's search index as the people table is."""

import asyncio
import os
import sys

from addtocrm.core.db.folders import data_folder
from addtocrm.core.db.pool import open_pool
from addtocrm.core.settings import Settings
from addtocrm.main.child import live
from addtocrm.sources.index import folder
from addtocrm.sources.index.follow import Follower

NICENESS = 10
"""Where processors are short, requests and imports go before the index (nice(2))."""


def process(parent: int) -> int:
    """Follows until a signal ends it, or the process `parent` does; gives the exit code."""
    if sys.platform != "win32":
        os.nice(NICENESS)
    return live(parent, _follow)


async def _follow(settings: Settings, stop: asyncio.Event) -> None:
    assert settings.database_url is not None
    pool = await open_pool(settings.database_url, size=4)
    following = asyncio.create_task(Follower(pool, folder.root(data_folder(settings.data_dir))).run())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({following, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if following.done():
            await following
    finally:
        for task in (following, stopping):
            task.cancel()
        await asyncio.gather(following, stopping, return_exceptions=True)
        await pool.close()
