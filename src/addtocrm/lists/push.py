"""The job that writes a list's people to the CRM, one contact an item."""

from typing import Any, Protocol

import msgspec

from addtocrm.core.caller import Caller
from addtocrm.crm.gathering import AT_ONCE, Gatherer
from addtocrm.crm.model import ContactWrite, PersonInput, WriteResult
from addtocrm.crm.opening import Expected
from addtocrm.crm.setup import Setup
from addtocrm.jobs.kind import Kind
from addtocrm.jobs.model import Item
from addtocrm.lists.model import PushOptions
from addtocrm.lists.service import PUSH


class Services(Protocol):
    @property
    def crm(self) -> Setup: ...


def kind(services: Services) -> Kind:
    """The kind of job, bound to the running services."""
    gatherer = Gatherer(services.crm)

    async def write(caller: Caller, options: dict[str, Any], item: Item) -> WriteResult:
        push = msgspec.convert(options, PushOptions)
        contact = ContactWrite(
            person=msgspec.convert(item.input["person"], PersonInput),
            on_conflict=push.on_conflict,
            owner=push.owner,
            list=push.list,
        )
        return await gatherer.put(caller, Expected(push.expected_crm, push.connection), contact)

    return Kind(PUSH, write, at_once=AT_ONCE, cancellable=True)
