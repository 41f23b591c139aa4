"""An account for the tests of a file."""

import pytest
from harness import Account, Server


@pytest.fixture(scope="module")
def account(server: Server) -> Account:
    server.add_people("gate-example")
    return server.account()
