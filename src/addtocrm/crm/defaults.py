"""Who owns, and which list of the CRM has, what a call writes that names none."""

from collections.abc import Sequence

import msgspec

from addtocrm.core.errors import invalid
from addtocrm.crm import store
from addtocrm.crm.contract import CrmList, Owner
from addtocrm.crm.opening import reading
from addtocrm.crm.setup import Setup


class Defaults(msgspec.Struct, frozen=True):
    """What is chosen, by ids, and what there is to choose from."""

    owner: str | None
    list: str | None
    owners: Sequence[Owner]
    lists: Sequence[CrmList]


async def get(setup: Setup, account_id: str) -> Defaults:
    """The defaults of the active CRM. Raises ApiError."""
    async with reading(setup, account_id) as crm:
        can = crm.definition.capabilities
        owners = await crm.connector.owners() if "owners" in can else []
        lists = await crm.connector.lists() if "lists" in can else []
        return Defaults(crm.default_owner, crm.default_list, owners, lists)


async def put(setup: Setup, account_id: str, owner: str | None, list: str | None) -> None:
    """Changes the defaults of the active CRM. Raises ApiError for an owner or a list that it does not have."""
    there = await get(setup, account_id)
    if owner is not None and owner not in (one.id for one in there.owners):
        raise invalid("owner", "is not in the CRM any more. Choose another one.")
    if list is not None and list not in (one.id for one in there.lists):
        raise invalid("list", "is not in the CRM any more. Choose another one.")
    async with reading(setup, account_id) as crm:
        await store.put_defaults(setup.pool, crm.id, owner, list)
