"""What every connector must do about records that appear or go between its read and its write."""

import re
from typing import Any

import pytest
from desk import JANE, WHO, WITHOUT_FULL, AtADesk, Desk

from addtocrm.crm import writer


class MeanwhileScenarios(AtADesk):
    """See Scenarios."""

    def test_who_the_crm_says_is_there_already_is_updated(self, run: Any, vendor: Any) -> None:
        if not self.unique_emails:
            pytest.skip("it takes two contacts with one address")

        async def work(desk: Desk) -> None:
            person = {**WHO, "email": JANE["email"]}
            first = await desk.write(person)
            await desk.setup.pool.execute("delete from crm_links")
            vendor.lag = 1000
            again = await desk.write({**person, "phone": "+15550100100"})
            assert (again.contact_id, again.action, again.fields_written) == (first.contact_id, "updated", ["phone"])
            assert len(vendor.contacts()) == 1

        run(work)

    def test_a_value_that_was_typed_between_the_read_and_the_write_stays(
        self, run: Any, vendor: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if self.looks is None:
            pytest.skip("the CRM has no way to write only what is as it was")
        there = vendor.put_contact(**WITHOUT_FULL, email=JANE["email"])
        write = writer.write

        async def typed_over(*arguments: Any, **more: Any) -> None:
            monkeypatch.setattr(writer, "write", write)
            vendor.trouble(self.looks, before=lambda: vendor.change_contact(there, job_title="Boss"))
            await write(*arguments, **more)

        async def work(desk: Desk) -> None:
            monkeypatch.setattr(writer, "write", typed_over)
            person = {**WHO, "email": JANE["email"], "job_title": "Head of Sales", "phone": "+15550100100"}
            done = await desk.write(person)
            assert not vendor.troubles, "it was typed"
            assert (done.contact_id, done.action) == (there, "updated")
            assert (done.fields_written, done.fields_kept) == (["phone"], ["job_title"])
            [contact] = vendor.contacts()
            assert (contact["job_title"], re.sub(r"\D", "", contact["phone"])) == ("Boss", "15550100100")

        run(work)

    def test_who_is_deleted_before_the_update_is_made_again(
        self, run: Any, vendor: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there = vendor.put_contact(**WITHOUT_FULL, email=JANE["email"])
        write = writer.write

        async def after_a_deletion(*arguments: Any, **more: Any) -> None:
            monkeypatch.setattr(writer, "write", write)
            vendor.delete_contact(there)
            await write(*arguments, **more)

        async def work(desk: Desk) -> None:
            monkeypatch.setattr(writer, "write", after_a_deletion)
            done = await desk.write({**WHO, "email": JANE["email"], "phone": "+15550100100"})
            assert (done.action, done.contact_id == there) == ("created", False)
            assert [one["id"] for one in vendor.contacts()] == [done.contact_id]

        run(work)
