"""A small Internet, and a server that lives in it, for the tests of a file."""

from collections.abc import Iterator
from typing import Any

import pytest
from harness import Server
from world import WorldBeside


@pytest.fixture(scope="package", autouse=True)
def unhurried() -> Iterator[None]:
    """A mail server in the test's own process is not silent because all of that stood still for some seconds."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("smtp.CONNECT_SECONDS", "smtp.COMMAND_SECONDS", "smtp.GOODBYE_SECONDS", "engine.DNS_SECONDS"):
            patch.setattr(f"addtocrm.mail.{name}", 60.0)
        patch.setattr("addtocrm.mail.smtp.FLIGHT_SECONDS", 10.0)
        yield


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
