"""The job that looks companies up, one an item."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import msgspec

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.jobs import service as jobs
from addtocrm.jobs.kind import Done, Kind
from addtocrm.jobs.model import Item, Job, NewItem
from addtocrm.lookups.batch import looked_up
from addtocrm.lookups.companies import service
from addtocrm.lookups.companies.model import LookUpCompany
from addtocrm.lookups.service import Lookups
from addtocrm.sources.waterfall import Waterfall


class Services(Protocol):
    @property
    def lookups(self) -> Lookups: ...
    @property
    def waterfall(self) -> Waterfall: ...


async def submit(pool: Pool, caller: Caller, items: Sequence[LookUpCompany | str]) -> Job:
    """A queued job with one item for each company; one that asks for none fails alone, with its error."""
    new = await asyncio.to_thread(lambda: [NewItem(item, _key(_asked(item))) for item in items])
    return await jobs.submit(pool, caller, service.LOOKUP.name, "enrich", new)


def _asked(item: LookUpCompany | str) -> LookUpCompany:
    return LookUpCompany(domain=item) if isinstance(item, str) else item


def _key(asked: LookUpCompany) -> str | None:
    try:
        query = service.query_of(asked)
    except ApiError:
        return None
    return f"{service.lookup_key(query)} {asked.refresh}"


def kind(services: Services) -> Kind:
    """The kind of job, bound to the running services."""

    async def lookup(caller: Caller, options: dict[str, Any], item: Item) -> Done:
        asked = _asked(msgspec.convert(item.input, LookUpCompany | str))
        look_up = partial(
            service.lookup,
            services.lookups,
            services.waterfall,
            caller,
            service.query_of(asked),
            refresh=asked.refresh and item.since,
        )
        return await looked_up(services.lookups, caller, look_up)

    return Kind(service.LOOKUP.name, lookup, at_once=16)
