"""Records and properties of HubSpot: read by id, found by search."""

from collections.abc import Mapping, Sequence
from typing import Any

from addtocrm.crm.connectors.hubspot import search
from addtocrm.crm.connectors.hubspot.answers import Item, Page
from addtocrm.crm.connectors.hubspot.asking import Asking
from addtocrm.crm.connectors.hubspot.fields import Property, read
from addtocrm.crm.connectors.hubspot.objects import BATCH, OBJECT, OBJECTS, PROPERTIES, TYPE_ID
from addtocrm.crm.connectors.hubspot.quotas import SEARCH
from addtocrm.crm.contract import Fields, Record
from addtocrm.crm.failures import Rejected
from addtocrm.crm.kinds import Kind
from addtocrm.crm.several import parts

HITS, RESULTS = 1_000, 10_000
"""So many are read of names that are asked for together, and of one alone: as many as a search gives in all."""


class Reading:
    """What one account has. `reads` and `page_url` as in `Access`. Every request may raise a Failure."""

    def __init__(self, asking: Asking, reads: Mapping[Kind, set[str]], page_url: str | None) -> None:
        self.reads = reads
        self._asking, self._page_url = asking, page_url
        self._names: dict[Kind, set[str]] = {}

    async def properties(self, kind: Kind) -> list[Property]:
        """All properties; a search leaves out from now on what is none of them."""
        found = await self._asking.ask("GET", f"{PROPERTIES}/{OBJECT[kind]}", Page[Property])
        self._names[kind] = {one.name for one in found.results}
        return found.results

    async def many(self, kind: Kind, ids: Sequence[str], key: str | None = None) -> dict[str, Item]:
        """The records by id, without those that there are not; `ids` are values of the property `key` where given."""
        found: dict[str, Item] = {}
        for part in parts(ids, BATCH):
            items = await self._asking.read(OBJECT[kind], part, sorted(self.reads[kind]), key)
            found |= {one.id: one for one in items}
        return found

    async def by_id(self, kind: Kind, ids: Sequence[str]) -> dict[str, Item]:
        """As `many`; in place of a record that was merged into another comes that one, under the id that was asked."""
        found: dict[str, Item] = {}
        for part in parts(ids, BATCH):
            answer = await self._asking.answer(OBJECT[kind], part, sorted(self.reads[kind]))
            found |= {one.id: one for one in answer.results if one.id in part}
            gone = {id for fault in answer.errors for id in (fault.context or {}).get("ids", ())}
            for id in [id for id in part if id not in found and id not in gone]:
                for one in await self._asking.read(OBJECT[kind], [id], sorted(self.reads[kind])):
                    found[id] = one
        return found

    async def search(
        self, kind: Kind, query: Sequence[search.Group], most: int
    ) -> tuple[list[str], list[Mapping[str, tuple[str, ...]]]]:
        """Ids of what is found, of each group the oldest `most`, and the groups of which there are more."""
        query = [one for one in query if kind not in self._names or self._names[kind] >= set(one[1])]
        if not query:
            return [], []
        try:
            found = await self.page(kind, search.body(query))
        except Rejected:
            await self.properties(kind)
            if all(set(one[1]) <= self._names[kind] for one in query):
                raise
            return await self.search(kind, query, most)
        if found.total > search.PAGE_SIZE and len(query) > 1:
            alone = [await self.search(kind, [one], most) for one in query]
            return [id for ids, _ in alone for id in ids], [group for _, full in alone for group in full]
        ids = [one.id for one in found.results]
        while found.after and len(ids) < most:
            found = await self.page(kind, search.body(query, found.after))
            ids += [one.id for one in found.results]
        return ids, [group for _, group in query] if found.after else []

    async def page(self, kind: Kind, body: Mapping[str, Any]) -> Page[Item]:
        """A page of what the search of `body` finds."""
        path = f"{OBJECTS}/{OBJECT[kind]}/search"
        return await self._asking.ask("POST", path, Page[Item], json=body, vendor=SEARCH, idempotent=True)

    def record(self, kind: Kind, item: Item, sent: Fields | None = None) -> Record:
        """The record; it has the values of `sent` too."""
        url = f"{self._page_url}/record/{TYPE_ID[kind]}/{item.id}" if self._page_url else None
        return Record(
            kind=kind,
            id=item.id,
            url=url,
            fields={**read(item.properties), **(sent or {})},
            version=item.updated_at,
            created_at=item.created_at or None,
        )
