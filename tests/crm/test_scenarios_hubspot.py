import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from desk import JANE, Desk, people
from scenarios import Scenarios
from vendors.hubspot_server import HubSpotServer
from vendors.wire import Answer

from addtocrm.core.errors import ApiError
from addtocrm.core.outgoing.vendor import Quota, Vendor, Window
from addtocrm.crm import connections, known, registry, store
from addtocrm.crm.connectors.hubspot import connector, reading
from addtocrm.crm.connectors.hubspot.client import HubSpot
from addtocrm.crm.gathering import Gatherer
from addtocrm.crm.model import ContactWrite
from addtocrm.crm.opening import Expected
from addtocrm.privacy import service as privacy


class TestHubSpot(Scenarios):
    crm = "hubspot"
    many = 1_050
    server = HubSpotServer
    pkce = True
    creates = r"POST /crm/v3/objects/contacts(/batch/create)?$"
    writes = r"(PATCH|PUT) |POST /crm/v3/objects/contacts(/batch/(create|update))?$"
    picklist = ("level", "gold")
    text_field = "tier"
    date_field = "met_on"
    time_field = "next_call"
    looks = "POST /crm/v3/objects/contacts/batch/read$"
    tells_survivor = True

    @pytest.fixture(autouse=True)
    def ten_times_as_fast(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody waits long for the quotas, which `test_hubspot` is about."""
        assert connector.vendor
        fast = msgspec.structs.replace(connector.vendor, quota=Quota((Window(100, 1.0),)))
        monkeypatch.setitem(registry.load(), "hubspot", msgspec.structs.replace(connector, vendor=fast))
        monkeypatch.setattr(reading, "SEARCH", Vendor(name="hubspot-search", quota=Quota((Window(5, 0.1),))))

    def prepare(self, vendor: HubSpotServer) -> None:
        vendor.add_field("tier")
        vendor.custom["contacts"]["met_on"] = {"type": "date", "fieldType": "date"}
        vendor.custom["contacts"]["next_call"] = {"type": "datetime", "fieldType": "date"}
        vendor.add_field("level", "gold", "silver")

    def test_a_field_that_was_just_made_there_is_known(
        self, run: Any, vendor: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(known, "FRESH_SECONDS", 0.5)

        async def work(desk: Desk) -> None:
            await desk.write(JANE)
            vendor.add_field("brandnew", "Gold")
            await asyncio.sleep(0.6)
            assert (await desk.write(JANE, custom_fields={"brandnew": "gold"})).action == "updated"
            await desk.fails("validation_error", JANE, custom_fields={"no_such": "x"})

        run(work)

    def test_who_was_deleted_before_the_list_is_told_as_not_found(
        self, run: Any, vendor: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add = HubSpot.add_to_list

        async def deleted_first(crm: HubSpot, list_id: str, contact_ids: Sequence[str]) -> None:
            vendor.delete_contact(contact_ids[-1])
            await add(crm, list_id, contact_ids)

        monkeypatch.setattr(HubSpot, "add_to_list", deleted_first)

        async def work(desk: Desk) -> None:
            assert "contact" in (await desk.fails("not_found", JANE, list="Fair")).message
            first, second = await desk.write_many(people(2, 1), list="Fair")
            assert (first.action, second.type) == ("created", "not_found")
            assert vendor.members("Fair") == [first.contact_id]

        run(work)

    def test_who_disconnects_in_the_middle_of_a_write_loses_no_event(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            held = threading.Event()
            vendor.trouble(self.creates, held=held)
            writing = asyncio.create_task(desk.write(JANE))
            while not vendor.asked(self.creates):
                await asyncio.sleep(0.01)
            await connections.disconnect(desk.setup, desk.account_id)
            held.set()
            assert (await writing).action == "created"
            assert (await desk.events()).count("crm.contact.created") == 1

        run(work)

    def test_forgetting_leaves_no_attempt_and_no_link(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            await desk.write({**JANE, "linkedin_url": "https://www.linkedin.com/in/jane-2", "email": "j2@example.com"})
            vendor.trouble(self.creates, Answer(500, "oops"), times=10)
            await desk.fails("crm_unavailable", JANE)
            assert await desk.setup.pool.fetchval("select count(*) from crm_links where record_id is null") > 0
            await store.delete_old(desk.setup.pool)
            assert await desk.setup.pool.fetchval("select count(*) from crm_links where record_id is null") > 0
            for identifier in (JANE["email"], "https://www.linkedin.com/in/jane-2"):
                await privacy.forget(desk.setup.pool, identifier)
            assert await desk.setup.pool.fetchval("select count(*) from crm_links where kind = 'contact'") == 0

        run(work)

    def test_an_attempt_that_nobody_makes_again_is_deleted(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            vendor.trouble(self.creates, Answer(500, "oops"), times=10)
            await desk.fails("crm_unavailable", JANE)
            await desk.setup.pool.execute("update crm_links set at = at - interval '25 hours'")
            await store.delete_old(desk.setup.pool)
            assert await desk.setup.pool.fetchval("select count(*) from crm_links where record_id is null") == 0

        run(work)

    def test_one_record_at_which_the_crm_fails_stops_none_but_itself(
        self, run: Any, vendor: HubSpotServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(registry.load(), self.crm, msgspec.structs.replace(registry.load()[self.crm], batch=4))

        def failing(function: Any) -> Any:
            def answer(request: Any, **more: Any) -> Answer:
                made = request.path.endswith(("/contacts", "/contacts/batch/create"))
                return Answer(500, "oops") if made and b"Poison" in request.raw else function(request, **more)

            return answer

        vendor._routes = [(*where, failing(function)) for *where, function in vendor._routes]

        async def work(desk: Desk) -> None:
            gatherer = Gatherer(desk.setup)
            poison = {"full_name": "Poison Pill", "email": "pill@acme0.example.com"}
            left = [*people(5, 1), poison]
            for _ in range(4):
                writes = [msgspec.convert({"person": one}, ContactWrite) for one in left]
                puts = [gatherer.put(desk.caller, Expected(self.crm), one) for one in writes]
                done = await asyncio.gather(*puts, return_exceptions=True)
                left = [one for one, outcome in zip(left, done, strict=True) if isinstance(outcome, ApiError)]
                if left == [poison]:
                    break
                await desk.settled()
            assert (left, len(vendor.contacts())) == ([poison], 5)

        run(work, refused=True)
