"""Finding and reading records, by COQL."""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from addtocrm.crm.connectors.zoho import answers, coql, fields
from addtocrm.crm.connectors.zoho.api import BATCH, PAGE, Api
from addtocrm.crm.connectors.zoho.failures import NoPermission
from addtocrm.crm.connectors.zoho.fields import KINDS, MODULES, REFERENCES
from addtocrm.crm.contract import Access, Found, Record, Sought, Term
from addtocrm.crm.failures import NotFound, Unavailable, UnknownField
from addtocrm.crm.kinds import Kind
from addtocrm.crm.several import parts

ID = r"\d{1,20}"
MATCHES = 2000
"""So many records are read of what is asked for together."""


class Reader:
    """Reads the records of one account, and keeps what it learns of them. Every method may raise a Failure.

    `people` are the modules of people, that of new ones first. `references` are the fields of a module whose values are
    ids of records.
    """

    def __init__(self, api: Api, access: Access) -> None:
        self._api, self._page_url, self._reads = api, access.page_url, access.reads
        leads_first = access.options.get("contact_object") == "lead"
        self.people = ["Leads", "Contacts"] if leads_first else ["Contacts", "Leads"]
        self.references = {module: set(names) for module, names in REFERENCES.items()}
        self._absent: dict[str, set[str]] = {module: set() for module in KINDS}
        self._known: dict[str, set[str]] = {module: set() for module in KINDS}
        self._module_of: dict[str, str] = {}

    async def find(self, kind: Kind, sought: Sequence[Sought]) -> Found:
        """See `Connector.find`."""
        found: dict[str, Record] = {}
        cut: list[Term] = []
        for module in self._modules(kind):
            records = await self._reading(module, partial(self._matching, module, sought, cut))
            found |= {record.id: record for record in records}
        return Found(sorted(found.values(), key=lambda record: (len(record.id), record.id)), cut)

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        """See `Connector.get`."""
        found: dict[str, Record] = {}
        for module in self._modules(kind):
            for some in parts([id for id in ids if id not in found and re.fullmatch(ID, id)], BATCH):
                records = await self._reading(module, partial(self._select, module, coql.one_of("id", some), BATCH))
                found |= {record.id: record for record in records}
        return found

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        """See `Connector.page`."""
        if after is not None and not re.fullmatch(ID, after):
            return []
        where = f"id > '{after}'" if after else "id is not null"
        return await self._reading(MODULES[kind], partial(self._select, MODULES[kind], where, limit))

    async def module_of(self, id: str) -> str:
        """The module of a contact or lead. Raises NotFound."""
        if id not in self._module_of and not await self.get("contact", [id]):
            raise NotFound(f"contact {id}")
        return self._module_of[id]

    async def batches(self, ids: Sequence[str]) -> list[tuple[str, list[str]]]:
        """The contacts and leads in batches of one module, without those that there are not."""
        await self.get("contact", [id for id in ids if id not in self._module_of])
        there = [id for id in dict.fromkeys(ids) if id in self._module_of]
        return [
            (module, some)
            for module in self.people
            for some in parts([id for id in there if self._module_of[id] == module], BATCH)
        ]

    async def described(self, module: str) -> list[dict[str, Any]]:
        """The module's fields as Zoho describes them."""
        rows = await self._api.settings("fields", module)
        self._known[module] |= {str(row.get("api_name")) for row in rows}
        return rows

    async def unknown(self, module: str, rows: Sequence[Mapping[str, Any]]) -> list[str | None]:
        """Of each row the first field that the module has not."""
        if not set[str]().union(*rows) <= self._known[module]:
            self._known[module].clear()
            await self.described(module)
        return [next((name for name in row if name not in self._known[module]), None) for row in rows]

    def record(self, module: str, id: str, row: Mapping[str, Any], version: str | None) -> Record:
        """The record of a row of Zoho's, or of fields as they were sent."""
        self.references[module] |= {name for name, value in row.items() if isinstance(value, dict)}
        self._module_of[id] = module
        url = f"{self._page_url}/tab/{module}/{id}" if self._page_url else None
        return Record(
            kind=KINDS[module],
            id=id,
            url=url,
            fields=fields.values(row),
            version=version,
            created_at=row.get("Created_Time"),
        )

    @contextmanager
    def where_seen(self, module: str) -> Iterator[None]:
        """Passes over the second module of people where the user may not see it."""
        try:
            yield
        except NoPermission:
            if module != self.people[1]:
                raise

    def _modules(self, kind: Kind) -> list[str]:
        return self.people if kind == "contact" else [MODULES[kind]]

    def _named(self, module: str) -> set[str]:
        """What records are wanted with."""
        return {name for name in self._reads[KINDS[module]] if coql.is_name(name)}

    async def _reading(self, module: str, read: Callable[[], Awaitable[list[Record]]]) -> list[Record]:
        """Without columns that there are not; nothing `where_seen` passes over."""
        with self.where_seen(module):
            while True:
                try:
                    return await read()
                except UnknownField as unknown:
                    if unknown.field in self._absent[module]:
                        raise Unavailable() from None
                    self._absent[module].add(unknown.field)
        return []

    async def _matching(self, module: str, sought: Sequence[Sought], cut: list[Term]) -> list[Record]:
        """By all terms; those of which not all is read are added to `cut`."""
        columns = (self._named(module) | {coql.SECOND_EMAIL}) - self._absent[module]
        terms = [term for one in sought for term in coql.usable(one.terms, columns)]
        within = [one.within for one in sought if columns >= one.within.keys()]
        return await self._of_terms(module, terms, within, cut)

    async def _of_terms(
        self, module: str, terms: Sequence[Term], within: Sequence[Term], cut: list[Term]
    ) -> list[Record]:
        """By the terms; where that brings too much, by half of them at a time."""
        rows: list[dict[str, Any]] = []
        full = False
        for where in coql.wheres(terms, within):
            rows += (some := await self._rows(module, where, MATCHES))
            full = full or len(some) >= MATCHES
        found = self._records(module, rows)
        middle = len(terms) // 2
        if full and not middle:
            cut += terms
        for some in (terms[:middle], terms[middle:]) if full and middle else ():
            found += await self._of_terms(module, some, (), cut)
        return found

    async def _select(self, module: str, where: str, most: int) -> list[Record]:
        """Up to `most` records, the oldest first."""
        return self._records(module, await self._rows(module, where, most))

    def _records(self, module: str, rows: Sequence[dict[str, Any]]) -> list[Record]:
        kept = [row for row in rows if row.get("Converted__s") is not True]
        return [self.record(module, answers.text(row, "id"), row, row.get("Modified_Time")) for row in kept]

    async def _rows(self, module: str, where: str, most: int) -> list[dict[str, Any]]:
        own = {"Created_Time", "Modified_Time", *(("Converted__s",) if module == "Leads" else ())}
        columns = (self._named(module) | own) - self._absent[module] - {"id"}
        rows: list[dict[str, Any]] = []
        more = True
        while more and len(rows) < most:
            query = coql.select(columns, module, where, min(most - len(rows), PAGE), len(rows))
            answer = await self._api.ask("POST", "/coql", json={"select_query": query}, idempotent=True)
            rows += answers.rows(answer, "data")
            more = answers.has_more(answer)
        self._known[module] |= columns
        return rows
