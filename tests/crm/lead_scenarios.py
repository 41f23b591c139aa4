"""What the connector of a vendor that keeps leads apart from contacts must do beside `scenarios.Scenarios`."""

import asyncio
from typing import Any

import pytest
from desk import JANE, PRIVATE, WHO, WITHOUT_FULL, Desk

from addtocrm.crm import connections

LEAD = {"contact_object": "lead"}


class LeadScenarios:
    """Stands before Scenarios among the bases of a vendor's class, whose fixtures it uses."""

    writes: str

    def put_person(self, vendor: Any, kind: str, company: str, **fields: Any) -> str:
        """A contact or lead who works at the company, typed in long ago; its id."""
        raise NotImplementedError

    def kind_of(self, vendor: Any, id: str) -> str:
        """Whether the record is a contact or a lead."""
        raise NotImplementedError

    def test_a_new_person_becomes_a_lead(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            done = await desk.write(JANE)
            assert (done.action, done.matched_by, done.fields_kept, done.company_id) == ("created", None, [], None)
            assert done.contact_id and self.kind_of(vendor, done.contact_id) == "lead"
            assert {"company_name", "company_domain"} <= set(done.fields_written)
            [there] = vendor.contacts()
            assert (there["id"], there["email"]) == (done.contact_id, JANE["email"])
            assert (there["first_name"], there["last_name"]) == ("Jane", "Doe")
            assert vendor.companies() == []
            assert done.url and done.contact_id in done.url

        run(work, **LEAD)

    def test_the_same_lead_again_is_unchanged_and_sends_no_write(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            first = await desk.write(JANE)
            before = len(vendor.asked(self.writes))
            again = await desk.write(JANE)
            assert (again.contact_id, again.action) == (first.contact_id, "unchanged")
            assert (again.fields_written, again.fields_kept) == ([], [])
            assert len(vendor.asked(self.writes)) == before

        run(work, **LEAD)

    def test_one_lead_of_twenty_writes_at_once_by_different_keys(self, run: Any, vendor: Any) -> None:
        at_acme = {**WHO, "company": JANE["company"]}
        forms = [
            JANE,
            {**at_acme, "email": JANE["email"]},
            {**at_acme, "linkedin_url": JANE["linkedin_url"]},
            at_acme,
        ]

        async def work(desk: Desk) -> None:
            vendor.lag = 2
            done = await asyncio.gather(*(desk.write(forms[turn % 4], host=turn) for turn in range(20)))
            assert len({one.contact_id for one in done}) == 1, vendor.contacts()
            [there] = vendor.contacts()
            assert self.kind_of(vendor, there["id"]) == "lead"

        run(work, hosts=3, **LEAD)

    def test_who_signs_in_again_keeps_the_settings(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            await connections.connect(desk.setup, desk.account_id, desk.crm, token=PRIVATE)
            done = await desk.write(JANE)
            assert done.contact_id and self.kind_of(vendor, done.contact_id) == "lead"

        run(work, **LEAD)

    @pytest.mark.parametrize("many", [1, 2])
    @pytest.mark.parametrize("there", ["contact", "lead"])
    def test_who_is_there_as_the_other_kind_is_found(self, run: Any, vendor: Any, there: str, many: int) -> None:
        other = "contact" if there == "lead" else "lead"
        by_name = {"first_name": "Max", "last_name": "Roe", "full_name": "Max Roe", "company": {"name": "Acme"}}

        async def work(desk: Desk) -> None:
            jane = self.put_person(vendor, there, "Acme", **WITHOUT_FULL, email=JANE["email"])
            max = self.put_person(vendor, there, "Acme", first_name="Max", last_name="Roe")
            people = [JANE, {**by_name, "job_title": "CTO"}]
            done = await desk.write_many(people) if many > 1 else [await desk.write(one) for one in people]
            assert [one.contact_id for one in done] == [jane, max]
            assert [one.matched_by for one in done] == ["email", "name"]
            assert [one.action for one in done] == ["updated", "updated"]
            assert [one["job_title"] for one in vendor.contacts()] == ["Head of Sales", "CTO"]
            assert [self.kind_of(vendor, one["id"]) for one in vendor.contacts()] == [there, there]
            again = await desk.write_many(people)
            assert [one.action for one in again] == ["unchanged", "unchanged"]

        run(work, contact_object=other)
