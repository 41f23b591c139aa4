"""The process that carries jobs out, beside the command that needs it."""

import os
import subprocess
import sys
import threading

import structlog

log = structlog.get_logger()

STOP_SECONDS = 10
RESTART_SECONDS = 1.0


class JobsProcess:
    """Keeps the process that carries jobs out running."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        self._process = _begin()
        self._thread.start()

    def stop(self) -> None:
        """Ends it; its jobs go on with the next process, here or on another host."""
        self._stopping.set()
        if self._process:
            self._process.terminate()
        self._thread.join(STOP_SECONDS)
        if self._process and self._process.poll() is None:
            self._process.kill()

    def _keep(self) -> None:
        assert self._process is not None
        while True:
            code = self._process.wait()
            if self._stopping.wait(RESTART_SECONDS):
                return
            log.warning("jobs_process_ended", code=code)
            self._process = _begin()


def _begin() -> "subprocess.Popen[bytes]":
    # Without `close_fds` it is spawned, not forked: a worker that is forked at the same moment would inherit the pipe
    # by which a fork says that it succeeded, and keep this waiting for ever.
    return subprocess.Popen([sys.executable, "-m", "addtocrm.main.jobs", str(os.getpid())], close_fds=False)
