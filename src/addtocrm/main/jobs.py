"""The process that carries jobs out."""

import asyncio
import os

import structlog

from addtocrm.core.db.pool import open_pool
from addtocrm.core.settings import Settings
from addtocrm.jobs import service
from addtocrm.jobs.runner import Runner
from addtocrm.jobs.under_way import UnderWay
from addtocrm.mail.politeness import TOTAL
from addtocrm.main import kinds
from addtocrm.main.child import live
from addtocrm.main.services import running
from addtocrm.privacy import service as suppressions

log = structlog.get_logger()

LEAVE_SECONDS = 20.0
"""A process that was told to stop and waits for a lost database ends after this; its jobs are taken by others."""


def process(parent: int) -> int:
    """Carries jobs out until a signal ends it, or the process `parent` does; gives the exit code."""
    return live(parent, _carry_out)


async def _carry_out(settings: Settings, stop: asyncio.Event) -> None:
    assert settings.database_url is not None
    news = asyncio.Event()

    def hear(kind: str, subject: str) -> None:
        if kind in ("job", "account"):
            news.set()

    ending = asyncio.create_task(_end_after(stop))
    async with running(settings, hear, mail_connections=TOTAL) as services:
        deleting = asyncio.create_task(service.keep_deleting(services.pool, settings.job_days))
        # Taking and settling jobs waits for none of the items' own statements.
        session = await suppressions.session(settings.database_url, settings.data_dir)
        own = await open_pool(settings.database_url, size=4, session=session)
        try:
            under_way = UnderWay(settings.data_dir)
            await Runner(own, kinds.load(services), services.listener.instance, news, under_way).run(stop)
        finally:
            deleting.cancel()
            await own.close()
    ending.cancel()


async def _end_after(stop: asyncio.Event) -> None:
    await stop.wait()
    await asyncio.sleep(LEAVE_SECONDS)
    log.warning("jobs_process_ended_late")
    os._exit(1)
