"""What the tests stand on: a PostgreSQL from the wheel for each test process, a fresh database where one is needed."""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from harness import Server

from addtocrm.db.embedded import attach
from addtocrm.db.migrate import migrate

DATABASES = itertools.count(1)


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
        yield attachment.url
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_database(postgres: str) -> Callable[[], str]:
    """Makes a fresh, migrated database and gives its URL."""

    def make() -> str:
        name = f"test{next(DATABASES)}"

        async def create() -> None:
            connection = await asyncpg.connect(urlunsplit(urlsplit(postgres)._replace(path="/postgres")))
            await connection.execute(f"create database {name} template addtocrm")
            await connection.close()

        asyncio.run(create())
        return urlunsplit(urlsplit(postgres)._replace(path=f"/{name}"))

    return make


@pytest.fixture
def database_url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def new_server(new_database: Callable[[], str], tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers of a test's own: `new_server(ADDTOCRM_RATE_PER_MINUTE="60")`."""
    servers: list[Server] = []

    def make(database_url: str | None = None, *, start: bool = True, **environment: str) -> Server:
        server = Server(database_url or new_database(), tmp_path, **environment)
        servers.append(server)
        return server.start() if start else server

    yield make
    for server in servers:
        server.kill()


@pytest.fixture(scope="session")
def server(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that share it by having accounts of their own."""
    server = Server(new_database(), tmp_path_factory.mktemp("server")).start()
    yield server
    server.kill()
