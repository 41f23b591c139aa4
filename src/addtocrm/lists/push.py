"""The job that writes a list's people to the CRM, one contact an item."""

from typing import Any, Protocol

import msgspec

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Pool
from addtocrm.core.settings import Settings
from addtocrm.crm import service as crm
from addtocrm.crm.model import ContactWrite, PersonInput, WriteResult
from addtocrm.jobs.kind import Kind
from addtocrm.jobs.model import Item
from addtocrm.lists.service import PUSH


class Services(Protocol):
    @property
    def settings(self) -> Settings: ...
    @property
    def pool(self) -> Pool: ...


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
        return await crm.upsert_contact(services.pool, services.settings, caller, contact)

    return Kind(PUSH, write, at_once=4)
