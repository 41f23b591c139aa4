"""A server behind a proxy, so that each visitor has an address of their own."""

from collections.abc import Callable, Iterator

import pytest
from harness import Server


@pytest.fixture(scope="package")
def server(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("dashboard")
    server = Server(new_database(), folder, ADDTOCRM_TRUSTED_PROXIES="127.0.0.1").start()
    yield server
    server.kill()
