"""The shared contract, on the built-in CRM and on one that is nothing like it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from contract_suite import SAMPLES, ConnectorContract, Run
from memory_crm import TOKEN, MemoryCrm, Store, definition

from addtocrm.core.db.pool import open_pool
from addtocrm.core.settings import Settings
from addtocrm.crm import registry
from addtocrm.crm.connectors import builtin
from addtocrm.crm.contract import Access, Connector, Update
from addtocrm.tenants.accounts import service as accounts


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> str:
    return new_database()


class TestBuiltin(ConnectorContract):
    definition = builtin.connector
    custom = "tier"

    @pytest.fixture
    def run(self, request: pytest.FixtureRequest, database: str) -> Run[Any]:
        email = f"{abs(hash(request.node.nodeid))}@example.com"

        async def on_pool(work: Callable[[Any], Awaitable[Any]]) -> Any:
            pool = await open_pool(database, size=2)
            try:
                return await work(pool)
            finally:
                await pool.close()

        account = asyncio.run(on_pool(lambda pool: accounts.create(pool, email)))

        def run(work: Callable[[Connector], Awaitable[Any]]) -> Any:
            async def opened(pool: Any) -> Any:
                async with pool.acquire() as db, db.transaction():
                    settings = Settings(data_dir=Path("/nowhere"))
                    access = Access(account_id=account.id, settings=settings, db=db, writing=True)
                    return await work(builtin.connector.open(access))

            return asyncio.run(on_pool(opened))

        return run

    def test_another_account_sees_nothing(self, run: Run[Any], database: str) -> None:
        made = self.made(run, "contact", self.sample("contact"))

        async def other() -> Any:
            pool = await open_pool(database, size=2)
            crm = builtin.connector.open(Access(account_id="acc_other", settings=Settings(), db=pool))
            sought = self.sought("contact", **SAMPLES["contact"])
            assert await crm.find("contact", sought) == await crm.page("contact", None, 10) == []
            assert await crm.get("contact", [made.id]) == {}
            with pytest.raises(builtin.NotFound):
                await crm.update("contact", [Update(made, {"city": "Shelbyville"})])
            with pytest.raises(builtin.NotFound):
                await crm.add_note(made.id, "text")
            await pool.close()

        asyncio.run(other())
        assert self.there(run, "contact", made.id) == made

    def test_a_key_of_two_records_is_rejected_by_its_name(self, run: Run[Any]) -> None:
        self.made(run, "contact", {"full_name": "Jane", "email": "jane@example.com"})
        with pytest.raises(builtin.Rejected) as caught:
            self.made(run, "contact", {"full_name": "Joan", "email": "Jane@example.com"})
        assert caught.value.field == "email"
        with pytest.raises(builtin.Rejected) as caught:
            self.made(run, "contact", {"full_name": "Joan", "owner": "cow_none"})
        assert caught.value.field == "owner"


class TestMemory(ConnectorContract):
    definition = definition(Store())
    custom = "tier"

    @pytest.fixture
    def run(self) -> Run[Any]:
        crm = MemoryCrm(Store(), TOKEN)
        return lambda work: asyncio.run(work(crm))


def test_the_registry_has_every_connector_under_its_file_name() -> None:
    for name, one in registry.load().items():
        assert one.name == name
    assert "builtin" in registry.load()
