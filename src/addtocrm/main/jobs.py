"""The process that carries jobs out, forked by `addtocrm serve`.

It ends with its parent, also when that died before this one looked.
"""

import asyncio
import os
import signal
import sys

import structlog

from addtocrm.core import logs
from addtocrm.core import settings as settings_module
from addtocrm.core.db.pool import open_pool
from addtocrm.jobs import service
from addtocrm.jobs.runner import Runner
from addtocrm.jobs.under_way import UnderWay
from addtocrm.mail.politeness import TOTAL
from addtocrm.main import kinds
from addtocrm.main.services import running
from addtocrm.privacy import service as suppressions

if sys.platform == "win32":
    from asyncio import run
else:
    from uvloop import run

log = structlog.get_logger()

PARENT_POLL_SECONDS = 0.5
LEAVE_SECONDS = 20.0
"""A process that was told to stop and waits for a lost database ends after this; its jobs are taken by others."""


def process(parent: int) -> int:
    """Carries jobs out until a signal ends it, or the process `parent` does; gives the exit code."""
    try:
        run(_main(parent))
    except Exception:
        log.exception("jobs_process_failed")
        return 1
    return 0


async def _main(parent: int) -> None:
    settings = settings_module.load()
    logs.configure(settings.log_level)
    assert settings.database_url is not None
    stop, news = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def hear(kind: str, subject: str) -> None:
        if kind in ("job", "account"):
            news.set()

    ending = asyncio.create_task(_end_after(stop))
    async with running(settings, hear, mail_connections=TOTAL) as services:
        beside = [
            asyncio.create_task(_stop_with(parent, stop)),
            asyncio.create_task(service.keep_deleting(services.pool, settings.job_days)),
        ]
        # Taking and settling jobs waits for none of the items' own statements.
        session = await suppressions.session(settings.database_url, settings.data_dir)
        own = await open_pool(settings.database_url, size=4, session=session)
        try:
            under_way = UnderWay(settings.data_dir)
            await Runner(own, kinds.load(services), services.listener.instance, news, under_way).run(stop)
        finally:
            for task in beside:
                task.cancel()
            await own.close()
    ending.cancel()


async def _end_after(stop: asyncio.Event) -> None:
    await stop.wait()
    await asyncio.sleep(LEAVE_SECONDS)
    log.warning("jobs_process_ended_late")
    os._exit(1)


async def _stop_with(parent: int, stop: asyncio.Event) -> None:
    """Ends the work when the process that began this one is gone."""
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_POLL_SECONDS)
    stop.set()
