"""The processes beside a command: `addtocrm jobs` carries jobs out, `addtocrm index` keeps the search index."""

import contextlib
import importlib
import os
import signal
import threading
from pathlib import Path
from typing import Literal

import structlog
from setproctitle import setproctitle

from addtocrm.cli.signals import ENDING

log = structlog.get_logger()

STOP_SECONDS = 10
RESTART_SECONDS = 1.0


Name = Literal["jobs", "index"]


class Child:
    """Keeps a process running. It is forked, so that it starts at once and shares memory."""

    def __init__(self, name: Name) -> None:
        self._name: Name = name
        importlib.import_module(_module(name))
        self._stopping = threading.Event()
        self._id: int | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        self._id = _begin(self._name)
        self._thread.start()

    def stop(self) -> None:
        """Ends it; its work goes on with the next process, here or on another host."""
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
                log.warning("process_ended", process=title(self._name), code=os.waitstatus_to_exitcode(status))
                self._id = _begin(self._name)


def title(name: Name) -> str:
    """What the process is called among those of the machine."""
    return f"addtocrm {name}"


def _module(name: Name) -> str:
    return f"addtocrm.main.{name}"


def _begin(name: Name) -> int:
    """Forks the process; gives its id."""
    parent = os.getpid()
    id = os.fork()
    if id == 0:
        code = 1
        try:
            code = _be(name, parent)
        finally:
            os._exit(code)
    return id


def _be(name: Name, parent: int) -> int:
    for number in ENDING:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    _let_go()
    setproctitle(title(name))
    return importlib.import_module(_module(name)).process(parent)


def _let_go() -> None:
    """Closes what is the parent's: its locks and its address end with it, whatever this process is still at. The files
    in which the metrics of many workers are counted stay: prometheus_client closes them itself in a new process."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    counted_in = [_file(entry.stat()) for entry in Path(folder).iterdir()] if folder else []
    for number in [int(entry.name) for entry in Path("/dev/fd").iterdir()]:
        with contextlib.suppress(OSError):
            if number > 2 and _file(os.fstat(number)) not in counted_in:
                os.close(number)


def _file(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino
