"""The process that carries jobs out: `python -m addtocrm.jobs.process`, started by `addtocrm serve`."""

import asyncio
import os
import signal
import sys

from dbos import DBOS, DBOSConfig

from addtocrm import logs
from addtocrm import settings as settings_module
from addtocrm.app import running
from addtocrm.db.pool import Pool
from addtocrm.jobs import kinds
from addtocrm.jobs.runner import DATABASE_FAILURES, Runner

if sys.platform == "win32":
    from asyncio import run
else:
    from uvloop import run

JOBS_AT_ONCE = 8
QUEUE_POLL_SECONDS = 0.25
WATCH_SECONDS = 1.0


def launch(database_url: str, executor: str, runner: Runner, loop: asyncio.AbstractEventLoop) -> None:
    """Starts DBOS in the schema `dbos` of our database: each queued workflow carries one job out on `loop`."""
    config: DBOSConfig = {
        "name": "addtocrm",
        "system_database_url": database_url,
        "executor_id": executor,
        "application_version": "1",
        "run_migrations": False,
        "log_level": "ERROR",
        "sys_db_pool_size": 5,
    }
    DBOS(config=config)

    @DBOS.workflow(name="run_job", max_recovery_attempts=1_000_000)
    def run_job(id: str) -> None:
        asyncio.run_coroutine_threadsafe(runner.run(id), loop).result()

    DBOS.launch()
    DBOS.register_queue("jobs", worker_concurrency=JOBS_AT_ONCE, polling_interval_sec=QUEUE_POLL_SECONDS)


async def recover(pool: Pool, own: str) -> None:
    """Queues the jobs again that a dead process was at."""
    left = await pool.fetch(
        """select workflow_uuid from dbos.workflow_status
           where status = 'PENDING' and executor_id <> $1 and executor_id ~ '^\\d+$'
             and instance_is_dead(executor_id::int)""",
        own,
    )
    for row in left:
        await DBOS.resume_workflow_async(row["workflow_uuid"])


async def main() -> None:
    settings = settings_module.load()
    logs.configure(settings.log_level)
    assert settings.database_url is not None
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    parent = os.getppid()
    async with running(settings) as services:
        runner = Runner(services.pool, kinds.load(services))
        own = str(services.listener.instance)
        await asyncio.to_thread(launch, settings.database_url, own, runner, loop)
        while not stop.is_set() and os.getppid() == parent:
            try:
                await recover(services.pool, own)
            except DATABASE_FAILURES:
                pass
            try:
                await asyncio.wait_for(stop.wait(), WATCH_SECONDS)
            except TimeoutError:
                continue
        await runner.stop()
        await asyncio.to_thread(DBOS.destroy)


if __name__ == "__main__":
    run(main())
