"""Keeps the embedded PostgreSQL up for the one process that serves from a data folder."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from addtocrm.core.db import locks, postmaster
from addtocrm.core.db.embedded import attach, explained, keeper_lock, restart
from addtocrm.core.db.folders import EmbeddedError, data_folder

log = structlog.get_logger()

WATCH_SECONDS = 0.2
HANDOVER_SECONDS = 2.0
"""The workers of a server that was killed keep its locks for a moment."""
HANDOVER_POLL_SECONDS = 0.05
MOST_TRIES = 10
RETRY_SECONDS = 1.0


class Keeper:
    """Starts the server of `data_dir` again whenever it ends, from a thread.

    Where it does not start in `MOST_TRIES` tries, `failure` says why, and `on_failure` is called.
    """

    def __init__(self, data_dir: Path) -> None:
        self.url = postmaster.url(data_dir / "postgres")
        self.failure: EmbeddedError | None = None
        self._data_dir = data_dir
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, on_failure: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._keep, args=(on_failure,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the watch. Raises the failure, where there was one."""
        self._stopping.set()
        if self._thread:
            self._thread.join()
        if self.failure:
            raise self.failure

    def _keep(self, on_failure: Callable[[], None]) -> None:
        failed = 0
        while not self._stopping.wait(RETRY_SECONDS if failed else WATCH_SECONDS):
            if postmaster.lives(self._data_dir / "postgres") and not failed:
                continue
            log.warning("database_ended")
            try:
                restart(self._data_dir)
            except EmbeddedError as error:
                failed += 1
                log.error("database_start_failed", tries=failed, error=str(error))
                if failed == MOST_TRIES:
                    self.failure = error
                    on_failure()
                    return
            else:
                failed = 0
                log.warning("database_back")


@contextmanager
def kept(data_dir: Path, url: str) -> Iterator[Keeper]:
    """The server of `data_dir` for the one process that serves from it, at `url`.

    Raises EmbeddedError, also where another process serves from the folder.
    """
    with explained(data_dir):
        data_dir = data_folder(data_dir)
        lock = _take(data_dir)
        os.ftruncate(lock, 0)
        os.write(lock, url.encode())
    try:
        with attach(data_dir, keeping=True):
            keeper = Keeper(data_dir)
            try:
                yield keeper
            finally:
                keeper.stop()
    finally:
        os.close(lock)


def keeper_url(data_dir: Path) -> str:
    """Where the process that keeps the server of `data_dir` serves, as it wrote."""
    return keeper_lock(data_dir).read_text()


def _take(data_dir: Path) -> int:
    deadline = time.monotonic() + HANDOVER_SECONDS
    while (lock := locks.take(keeper_lock(data_dir))) is None:
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"The AddToCRM at {keeper_url(data_dir)} serves from the data folder {data_dir}. Stop it, or give "
                "this one a folder of its own with ADDTOCRM_DATA_DIR."
            )
        time.sleep(HANDOVER_POLL_SECONDS)
    return lock
