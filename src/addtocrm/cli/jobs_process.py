"""The process that carries jobs out, beside the command that needs it."""

import importlib
import os
import signal
import threading

import structlog
from setproctitle import setproctitle

from addtocrm.cli.signals import ENDING

log = structlog.get_logger()

PROCESS = "addtocrm.main.jobs"
TITLE = "addtocrm jobs"
STOP_SECONDS = 10
RESTART_SECONDS = 1.0


class JobsProcess:
    """Keeps the process that carries jobs out running. It is forked, so that it starts at once and shares memory."""

    def __init__(self) -> None:
        importlib.import_module(PROCESS)
        self._stopping = threading.Event()
        self._id: int | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        self._id = _begin()
        self._thread.start()

    def stop(self) -> None:
        """Ends it; its jobs go on with the next process, here or on another host."""
        self._stopping.set()
        self._send(signal.SIGTERM)
        self._thread.join(STOP_SECONDS)
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self._id is not None:
            os.kill(self._id, number)

    def _keep(self) -> None:
        while self._id is not None:
            _, status = os.waitpid(self._id, 0)
            self._id = None
            if not self._stopping.wait(RESTART_SECONDS):
                log.warning("jobs_process_ended", code=os.waitstatus_to_exitcode(status))
                self._id = _begin()


def _begin() -> int:
    """Forks the process; gives its id."""
    parent = os.getpid()
    id = os.fork()
    if id == 0:
        code = 1
        try:
            code = _be(parent)
        finally:
            os._exit(code)
    return id


def _be(parent: int) -> int:
    for number in ENDING:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    # The parent's locks and its address end with the parent, whatever this process is still at.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    setproctitle(TITLE)
    return importlib.import_module(PROCESS).process(parent)
