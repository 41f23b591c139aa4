"""What every connector must do about what stands beside a contact: notes, tasks, lists, an owner."""

import asyncio
from typing import Any

import pytest
from desk import JANE, AtADesk, Desk, people

from addtocrm.core.errors import ApiError
from addtocrm.crm import mappings, service
from addtocrm.crm.contract import Rule
from addtocrm.crm.model import MappingWrite, NoteWrite, TaskWrite


class BesideScenarios(AtADesk):
    """See Scenarios."""

    def test_notes_tasks_and_lists(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            for _ in range(2):
                done = await desk.write(JANE, note="Met at the fair;\n<call> in May.", list="Fair 2026")
            assert len(vendor.notes(done.contact_id)) == 1
            assert vendor.members("Fair 2026") == [done.contact_id]
            await service.add_note(desk.setup, desk.caller, NoteWrite(contact_id=done.contact_id, text="Second"))
            task = TaskWrite(contact_id=done.contact_id, title="Call back", due_at="2030-01-31T09:00:00Z")
            await service.add_task(desk.setup, desk.caller, task)
            assert (len(vendor.notes(done.contact_id)), vendor.tasks(done.contact_id)) == (2, ["Call back"])
            gone = self.no_such_id(done.contact_id)
            with pytest.raises(ApiError) as refused:
                await service.add_note(desk.setup, desk.caller, NoteWrite(contact_id=gone, text="Nobody"))
            assert refused.value.type == "not_found"

        run(work)

    def test_a_list_that_many_name_at_once_is_made_once(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            other = await desk.another()
            done = await asyncio.gather(
                *(
                    (desk if turn % 2 else other).write(person, host=turn, list="New list")
                    for turn, person in enumerate(people(5, 1))
                )
            )
            lists, _ = await service.lists(desk.setup, desk.account_id, None, 50)
            assert [one.name for one in lists].count("New list") == 1
            assert sorted(vendor.members("New list")) == sorted(one.contact_id for one in done)

        run(work, hosts=2)

    def test_an_owner_is_named_by_id_or_address(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            [owner, *_], _ = await service.owners(desk.setup, desk.account_id, None, 50)
            assert owner.email
            if self.owner_field:
                usual = await mappings.get(desk.setup, desk.account_id, "contact")
                rules = [*usual.rules, Rule(field=self.owner_field, from_=("owner",))]
                await mappings.put(desk.setup, desk.account_id, MappingWrite(object="contact", rules=rules))
            assert "owner" in (await desk.write(JANE, owner=owner.email.upper())).fields_written
            assert (await desk.write(JANE, owner=owner.id)).action == "unchanged"
            await desk.fails("validation_error", JANE, owner="nobody@example.com")

        run(work)
