"""The process that carries jobs out: `python -m addtocrm.jobs.process`, started by `addtocrm serve`."""

import asyncio
import os
import signal
import sys
from typing import NoReturn

import structlog
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

log = structlog.get_logger()

JOBS_AT_ONCE = 8
QUEUE_POLL_SECONDS = 0.25
WATCH_SECONDS = 1.0
LAUNCH_SECONDS = 20.0
NEGLECTED_SECONDS = 10.0
"""For so long a job may wait while there is a place for it, before nobody can be looking at the queue."""


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


async def recover(pool: Pool, own: str, runner: Runner, doubtful: set[str]) -> set[str]:
    """Queues the jobs again that a dead process was at, and those of this process that it is not at: the connection
    may have broken between taking one from the queue and beginning it.

    `doubtful` are those of the latter that were so a moment ago; gives those that are so now.
    """
    rows = await pool.fetch(
        """select workflow_uuid as id, executor_id = $1 as ours from dbos.workflow_status
           where status = 'PENDING' and executor_id ~ '^\\d+$'
             and (executor_id = $1 or instance_is_dead(executor_id::int))""",
        own,
    )
    idle = {row["id"] for row in rows if row["ours"]} - runner.carried
    for id in [row["id"] for row in rows if not row["ours"]] + sorted(idle & doubtful):
        await DBOS.resume_workflow_async(id)
    return idle


async def has_queued(pool: Pool) -> bool:
    """Whether a job waits in the queue."""
    return await pool.fetchval(
        "select exists (select from dbos.workflow_status where status = 'ENQUEUED' and queue_name = 'jobs')"
    )


def _give_up(event: str) -> NoReturn:
    """Ends the process at once, for whoever keeps it to begin it anew; the threads of DBOS would keep it for ever."""
    log.error(event, exc_info=True)
    sys.stderr.flush()
    os._exit(1)


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
        try:
            await asyncio.wait_for(asyncio.to_thread(launch, settings.database_url, own, runner, loop), LAUNCH_SECONDS)
        except Exception:
            _give_up("jobs_launch_failed")
        doubtful: set[str] = set()
        served, begun = loop.time(), 0
        while not stop.is_set() and os.getppid() == parent:
            try:
                doubtful = await recover(services.pool, own, runner, doubtful)
                busy = runner.begun > begun or len(runner.carried) >= JOBS_AT_ONCE
                if busy or not await has_queued(services.pool):
                    served, begun = loop.time(), runner.begun
                elif loop.time() - served > NEGLECTED_SECONDS:
                    _give_up("jobs_queue_neglected")
            except DATABASE_FAILURES:
                served = loop.time()
            try:
                await asyncio.wait_for(stop.wait(), WATCH_SECONDS)
            except TimeoutError:
                continue
        await runner.stop()
        await asyncio.to_thread(DBOS.destroy)


if __name__ == "__main__":
    try:
        run(main())
    except Exception:
        _give_up("jobs_process_failed")
