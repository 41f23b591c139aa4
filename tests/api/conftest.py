"""What tests of the described API stand on: sample data, an account with a CRM, and the document."""

from typing import Any

import pytest
from harness import Account, Server, with_pool

from addtocrm import sample
from addtocrm import settings as settings_module
from addtocrm.crm import connections
from addtocrm.dataset import service as dataset


@pytest.fixture(scope="module")
def account(server: Server) -> Account:
    account = server.account(credits=100_000)
    configured = settings_module.load({"ADDTOCRM_DATABASE_URL": server.database_url})

    async def prepare(pool: Any) -> None:
        await dataset.import_people(pool, sample.people_file(), lambda _: None)
        await dataset.import_companies(pool, sample.companies_file(), lambda _: None)
        await connections.connect(pool, configured, account.id, "builtin")

    with_pool(server.database_url, prepare)
    return account


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    return server.client().get("/openapi.json").json()
