"""What tests of the described API stand on: sample data, an account with a CRM, and the document."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from harness import Account, Server, with_pool
from world import WorldBeside

from addtocrm import sample
from addtocrm.sources.dataset import service as dataset


@pytest.fixture(scope="package")
def mail() -> Iterator[WorldBeside]:
    world = WorldBeside()
    world.server("acme.example.com", mailboxes={"jane.doe@acme.example.com"})
    yield world
    world.close()


@pytest.fixture(scope="package")
def server(
    mail: WorldBeside, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server in a world where the mail servers of the examples answer."""
    server = Server(new_database(), tmp_path_factory.mktemp("api"), **mail.environment).start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def account(server: Server) -> Account:
    account = server.account(credits=100_000)
    account.connect_builtin()

    async def prepare(pool: Any) -> None:
        await dataset.import_people(pool, sample.people_file(), lambda _: None)
        await dataset.import_companies(pool, sample.companies_file(), lambda _: None)

    with_pool(server.database_url, prepare)
    return account


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    return server.client().get("/openapi.json").json()
