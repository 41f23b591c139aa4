"""What the tests stand on: a PostgreSQL from the wheel for each test process, a fresh database where one is needed.

All that a run makes is in one folder, and whoever is at home there is the run's: nobody may be left at its end, and
whatever becomes of the run, `reaper.py` clears up after it.
"""

import asyncio
import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import reaper
from harness import Server, until
from hypothesis import HealthCheck, settings

from addtocrm.core.db.embedded import attach
from addtocrm.core.db.migrate import migrate

DATABASES = itertools.count(1)
LEAVE_SECONDS = float(os.environ.get("ADDTOCRM_TESTS_LEAVE_SECONDS", "60"))
ROOM = 8 * 2**30
RUN = pytest.StashKey[tuple[Path, "subprocess.Popen[bytes]"]]()


# How long an example takes says how busy the machine is; and what passes one day is to pass the next.
settings.register_profile("tests", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


def _memory() -> str | None:
    """A folder in memory, where there is room and no other is asked for: hundreds of databases are made and dropped."""
    with contextlib.suppress(OSError):
        shm = os.statvfs("/dev/shm")
        roomy = shm.f_bavail * shm.f_frsize >= ROOM and not shm.f_flag & os.ST_NOEXEC
        return "/dev/shm" if roomy and "TMPDIR" not in os.environ else None
    return None


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    folder = Path(tempfile.mkdtemp(prefix="addtocrm-", dir=_memory()))
    folder.chmod(0o711)
    command = [sys.executable, reaper.__file__, str(folder)]
    watcher = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    config.stash[RUN] = (folder, watcher)
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the run where a process of it lives on."""
    if RUN not in session.config.stash or session.exitstatus == pytest.ExitCode.INTERRUPTED:
        return
    folder, watcher = session.config.stash[RUN]
    deadline = time.monotonic() + LEAVE_SECONDS
    while left := {id: command for id, command in reaper.processes(folder).items() if id != watcher.pid}:
        if time.monotonic() > deadline:
            print(f"\nThe tests left processes behind: {left}", file=sys.stderr)
            session.exitstatus = session.exitstatus or 1
            return
        time.sleep(0.1)


def pytest_unconfigure(config: pytest.Config) -> None:
    if RUN in config.stash:
        _, watcher = config.stash[RUN]
        watcher.communicate()


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """In place of pytest's own, which is closed to the user that PostgreSQL runs as where we are root."""
    folder = Path(tempfile.mkdtemp(prefix="addtocrm-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a migrated database that is only copied, never used."""
    folder = Path(tempfile.mkdtemp(prefix="addtocrm-tests-"))
    with attach(folder) as attachment:
        migrate(attachment.url)
        asyncio.run(_execute(attachment.url, "alter system set fsync = off", "select pg_reload_conf()"))
        yield attachment.url
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_database(postgres: str) -> Callable[[], str]:
    """Makes a fresh, migrated database and gives its URL."""

    def make() -> str:
        name = f"test{next(DATABASES)}"
        _administer(postgres, f"create database {name} template addtocrm strategy file_copy")
        return _with_path(postgres, name)

    return make


def _drop(url: str) -> None:
    """Done at the end of a test: hundreds of databases keep autovacuum busy, and the end of a run for a minute."""
    _administer(url, f"drop database {urlsplit(url).path[1:]} with (force)")


def _administer(url: str, statement: str) -> None:
    """Tried again where somebody is in the database still: PostgreSQL waits five seconds for them to leave."""

    def done() -> bool:
        with contextlib.suppress(asyncpg.ObjectInUseError):
            asyncio.run(_execute(_with_path(url, "postgres"), statement))
            return True
        return False

    until(done)


def _with_path(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> Iterator[str]:
    url = new_database()
    yield url
    _drop(url)


@pytest.fixture
def new_server(new_database: Callable[[], str], tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers of a test's own: `new_server(ADDTOCRM_RATE_PER_MINUTE="60")`."""
    servers: list[Server] = []
    databases: list[str] = []

    def own_database() -> str:
        databases.append(new_database())
        return databases[-1]

    def make(database_url: str | None = None, *, start: bool = True, **environment: str) -> Server:
        server = Server(database_url or own_database(), tmp_path, **environment)
        servers.append(server)
        return server.start() if start else server

    yield make
    for server in servers:
        server.kill()
    for url in databases:
        _drop(url)


@pytest.fixture(scope="session")
def server(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that share it by having accounts of their own."""
    server = Server(new_database(), tmp_path_factory.mktemp("server")).start()
    yield server
    server.kill()
