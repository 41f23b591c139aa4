"""addtocrm serve"""

import importlib
import os
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Annotated

from cyclopts import Parameter
from granian.constants import HTTPModes, Interfaces, Loops
from granian.log import LogLevels
from granian.server.mp import MPServer

from addtocrm import logs
from addtocrm import settings as settings_module
from addtocrm.cli.database import database
from addtocrm.cli.jobs_process import JobsProcess
from addtocrm.cli.output import emit
from addtocrm.settings import Settings

APPLICATION = "addtocrm.app:server"
STOP_SECONDS = 30
STANDARD_ERROR = {
    "class": "logging.StreamHandler",
    "formatter": "generic",
    "stream": "ext://sys.stderr",
}


def serve(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Start everything; prints the URL when it is ready.

    SIGTERM or Ctrl-C ends it within 30 s.
    """
    settings = settings_module.load()
    logs.configure(settings.log_level)
    ready = {"url": settings.base_url, "docs": f"{settings.base_url}/docs"}
    with database(settings) as url:
        run(settings, url, lambda: emit(ready, json=json, text=f"AddToCRM is ready at {settings.base_url}"))


def run(settings: Settings, database_url: str, on_ready: Callable[[], None]) -> None:
    """Serves until a signal ends it; calls `on_ready` in a thread once /readyz says so."""
    os.environ["ADDTOCRM_DATABASE_URL"] = database_url
    if settings.workers > 1:
        # Read when the metrics are imported.
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="addtocrm-metrics-"))
    # Workers are forked: what they import is loaded before any thread could hold an import lock at that moment.
    importlib.import_module(APPLICATION.partition(":")[0])
    threading.Thread(target=_announce, args=(settings, on_ready), daemon=True).start()
    jobs = JobsProcess()
    jobs.start()
    try:
        _server(settings).serve()
    finally:
        jobs.stop()


def _server(settings: Settings) -> MPServer:
    return MPServer(
        APPLICATION,
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=settings.workers,
        loop=Loops.auto,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig={"handlers": {"console": STANDARD_ERROR, "access": STANDARD_ERROR}},
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
    )


def _announce(settings: Settings, on_ready: Callable[[], None]) -> None:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    while True:
        try:
            with urllib.request.urlopen(f"http://{host}:{settings.port}/readyz", timeout=2):
                break
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    on_ready()
