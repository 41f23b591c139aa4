"""The job that writes a list's people to the CRM, one contact an item."""

from typing import Any, Protocol

import msgspec

from addtocrm.core.caller import Caller
from addtocrm.crm import service as crm
from addtocrm.crm.model import ContactWrite, PersonInput, WriteResult
from addtocrm.crm.setup import Setup
from addtocrm.jobs.kind import Kind
from addtocrm.jobs.model import Item
from addtocrm.lists.service import PUSH


class Services(Protocol):
    @property
    def crm(self) -> Setup: ...


def kind(services: Services) -> Kind:
    """The kind of job, bound to the running services."""

    async def write(caller: Caller, options: dict[str, Any], item: Item) -> WriteResult:
        contact = ContactWrite(
            person=msgspec.convert(item.input["person"], PersonInput),
            on_conflict=options["on_conflict"],
            owner=options["owner"],
            list=options["list"],
            expected_crm=options["expected_crm"],
        )
        return await crm.upsert_contact(services.crm, caller, contact, bulk=True)

    return Kind(PUSH, write, at_once=4)
