"""A small Internet, and a server that lives in it, for the tests of a file."""

from collections.abc import Iterator
from typing import Any

import pytest
from harness import Server
from world import WorldBeside


@pytest.fixture(scope="module")
def mail() -> Iterator[WorldBeside]:
    world = WorldBeside()
    yield world
    world.close()


@pytest.fixture(scope="module")
def mail_server(mail: WorldBeside, new_database: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(new_database(), tmp_path_factory.mktemp("mail"), **mail.environment).start()
    yield server
    server.kill()
