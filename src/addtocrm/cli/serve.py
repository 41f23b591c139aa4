"""addtocrm serve"""

import asyncio
import importlib
import os
import socket
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, cast

import msgspec
from cyclopts import Parameter
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, Loops
from granian.log import LogLevels
from granian.server.mp import MPServer

from addtocrm.cli.children import Child
from addtocrm.cli.database import bring_up_to_date
from addtocrm.cli.listening import BACKLOG, listen
from addtocrm.cli.output import emit
from addtocrm.core import logs
from addtocrm.core import settings as settings_module
from addtocrm.core.db.keeper import Keeper, kept
from addtocrm.core.leaving import LEAVING
from addtocrm.core.settings import Settings
from addtocrm.privacy import service as suppressions

APPLICATION = "addtocrm.main.server:server"
STOP_SECONDS = 30
STANDARD_ERROR = {
    "class": "logging.StreamHandler",
    "formatter": "generic",
    "stream": "ext://sys.stderr",
}


class Place(msgspec.Struct, frozen=True):
    """What only one server has at a time."""

    address: socket.socket
    database_url: str
    keeper: Keeper | None
    """Of the embedded database."""


def serve(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Start everything; prints the URL when it is ready.

    SIGTERM or Ctrl-C ends it within 30 s.
    """
    settings = settings_module.load()
    logs.configure(settings.log_level)
    ready = {"url": settings.base_url, "docs": f"{settings.base_url}/docs"}
    text = f"AddToCRM is ready at {settings.base_url}"
    with place(settings) as taken:
        # Metrics come with it, and `place` decides first where these are counted.
        from addtocrm.cli.links import setup_link

        if link := setup_link(settings, taken.database_url):
            ready["setup_url"] = link
            text += f"\nOpen this once, within a day, to become its owner: {link}"
        run(settings, taken, lambda: emit(ready, json=json, text=text))


@contextmanager
def place(settings: Settings) -> Iterator[Place]:
    """Takes the address and the data folder, with the database up and on the newest schema.

    Raises SettingsError or EmbeddedError where another server has one of them, DatabaseError or SecretError where the
    key file of this host is not the database's.
    """
    with _counted_together(settings), listen(settings.host, settings.port) as address:
        if settings.database_url:
            _prepare(settings.database_url, settings)
            yield Place(address, settings.database_url, None)
        else:
            with kept(settings.data_dir, settings.local_url) as keeper:
                _prepare(keeper.url, settings)
                yield Place(address, keeper.url, keeper)


@contextmanager
def _counted_together(settings: Settings) -> Iterator[None]:
    """The metrics of many workers have a folder in common; it is read when they are imported."""
    if settings.workers == 1 or "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="addtocrm-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def _prepare(database_url: str, settings: Settings) -> None:
    bring_up_to_date(database_url)
    asyncio.run(suppressions.session(database_url, settings.data_dir, replace=True))


def run(settings: Settings, place: Place, on_ready: Callable[[], None]) -> None:
    """Serves until a signal ends it, or the database cannot be kept up; calls `on_ready` in a thread once /readyz says
    so."""
    os.environ["ADDTOCRM_DATABASE_URL"] = place.database_url
    # Workers are forked: what they import is loaded before any thread could hold an import lock at that moment.
    importlib.import_module(APPLICATION.partition(":")[0])
    server = _server(settings, place.address)
    children = [Child("jobs"), Child("index")]
    for child in children:
        child.start()
    try:
        if place.keeper:
            place.keeper.watch(on_failure=server.end)
        threading.Thread(target=_announce, args=(settings, on_ready), daemon=True).start()
        server.serve()
    finally:
        for child in children:
            child.stop()


class Server(MPServer):
    """Serves at a socket that was taken for it; its own would share the port with whoever asks (SO_REUSEPORT)."""

    address: socket.socket

    def end(self) -> None:
        """As a signal does."""
        self.interrupt_signal = True
        self.main_loop_interrupt.set()

    def _stop_workers(self) -> None:
        LEAVING.set()
        cast(Any, super())._stop_workers()

    def _init_shared_socket(self) -> None:
        self._shd = cast(Any, SocketHolder)(self.address.fileno(), False, BACKLOG)
        self._sso = self.address


def _server(settings: Settings, address: socket.socket) -> Server:
    server = Server(
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
    server.address = address
    return server


def _announce(settings: Settings, on_ready: Callable[[], None]) -> None:
    while True:
        try:
            with urllib.request.urlopen(f"{settings.local_url}/readyz", timeout=2):  # noqa: S310 (our own address)
                break
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    on_ready()
