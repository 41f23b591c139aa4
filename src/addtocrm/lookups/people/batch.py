"""The job that enriches people, one an item."""

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
from addtocrm.lookups.people import service
from addtocrm.lookups.people.model import EnrichPerson
from addtocrm.lookups.service import Lookups
from addtocrm.sources.waterfall import Waterfall


class Services(Protocol):
    @property
    def lookups(self) -> Lookups: ...
    @property
    def waterfall(self) -> Waterfall: ...


async def submit(pool: Pool, caller: Caller, items: Sequence[EnrichPerson | str], held: Any = None) -> Job:
    """A queued job with one item for each person; one that asks for nobody fails alone, with its error."""
    new = await asyncio.to_thread(lambda: [NewItem(item, _key(_asked(item))) for item in items])
    return await jobs.submit(pool, caller, service.ENRICH.name, "enrich", new, held)


def _asked(item: EnrichPerson | str) -> EnrichPerson:
    return EnrichPerson(linkedin_url=item) if isinstance(item, str) else item


def _key(asked: EnrichPerson) -> str | None:
    try:
        query = service.query_of(asked)
    except ApiError:
        return None
    return f"{service.lookup_key(query)} {query.required} {asked.min_confidence} {asked.refresh}"


def kind(services: Services) -> Kind:
    """The kind of job, bound to the running services."""

    async def enrich(caller: Caller, options: dict[str, Any], item: Item) -> Done:
        asked = _asked(msgspec.convert(item.input, EnrichPerson | str))
        look_up = partial(
            service.enrich,
            services.lookups,
            services.waterfall,
            caller,
            service.query_of(asked),
            refresh=asked.refresh and item.since,
            min_confidence=asked.min_confidence,
        )
        return await looked_up(services.lookups, caller, look_up)

    return Kind(service.ENRICH.name, enrich, at_once=16)
