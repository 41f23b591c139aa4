"""A CRM in memory, as another vendor's would be: no transaction, answers that take a turn, a token, own quirks."""

import asyncio
import itertools
from typing import Any

from addtocrm.core.outgoing.vendor import Quota, Vendor, Window
from addtocrm.crm import matching
from addtocrm.crm.contract import (
    CUSTOM,
    Access,
    CrmAccount,
    CrmList,
    Definition,
    Expired,
    Failure,
    Field,
    Kind,
    NotFound,
    Owner,
    Record,
    Task,
    TokenAuth,
    Values,
)

FIELDS: dict[Kind, tuple[str, ...]] = {
    "contact": (
        "linkedin_url",
        "email",
        "first_name",
        "last_name",
        "full_name",
        "job_title",
        "phone",
        "city",
        "company_name",
        "company_id",
        "owner",
    ),
    "company": ("name", "domain", "employee_count", "city"),
}
TOKEN = "memory-token-1"


class Store:
    """What the vendor has."""

    def __init__(self) -> None:
        self.records: dict[Kind, dict[str, dict[str, Any]]] = {"contact": {}, "company": {}}
        self.notes: list[tuple[str, str]] = []
        self.members: set[tuple[str, str]] = set()
        self.ids = itertools.count(1)
        self.calls: list[str] = []
        self.failure: Failure | None = None


class MemoryCrm:
    def __init__(self, store: Store, token: str | None) -> None:
        self._store, self._token = store, token

    async def _call(self, name: str) -> Store:
        self._store.calls.append(name)
        await asyncio.sleep(0.002)
        if self._token != TOKEN:
            raise Expired
        if self._store.failure and name not in ("info", "find"):
            raise self._store.failure
        return self._store

    def _record(self, kind: Kind, id: str) -> Record:
        return Record(id, f"https://memory.example.com/{id}", dict(self._store.records[kind][id]))

    async def info(self) -> CrmAccount:
        await self._call("info")
        return CrmAccount("portal-1", "Memory of example.com")

    async def fields(self, kind: Kind) -> list[Field]:
        await self._call("fields")
        standard = [Field(f"m_{name}", name, "text", maps_to=name) for name in FIELDS[kind]]
        return [*standard, Field("tier", "Tier", "text", custom=True)]

    async def owners(self) -> list[Owner]:
        await self._call("owners")
        return [Owner("7", "rep@example.com", "Rep")]

    async def lists(self) -> list[CrmList]:
        await self._call("lists")
        return [CrmList("l1", "Newsletter")]

    async def find(self, kind: Kind, values: Values) -> list[Record]:
        store = await self._call("find")

        def could_be(there: dict[str, Any]) -> bool:
            keys = [(matching.key(name, values), matching.key(name, there)) for name in matching.KEYS[kind]]
            keys.append((matching.name_key(kind, values), matching.name_key(kind, there)))
            return any(wanted and wanted == has for wanted, has in keys)

        return [self._record(kind, id) for id, there in store.records[kind].items() if could_be(there)]

    async def get(self, kind: Kind, id: str) -> Record:
        store = await self._call("get")
        if id not in store.records[kind]:
            raise NotFound(f"{kind} {id}")
        return self._record(kind, id)

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        store = await self._call("page")
        ids = list(store.records[kind])
        start = ids.index(after) + 1 if after else 0
        return [self._record(kind, id) for id in ids[start : start + limit]]

    async def create(self, kind: Kind, values: Values) -> Record:
        store = await self._call("create")
        id = str(next(store.ids))
        store.records[kind][id] = {
            name: value for name, value in values.items() if name in FIELDS[kind] or name.startswith(CUSTOM)
        }
        return self._record(kind, id)

    async def update(self, kind: Kind, id: str, values: Values) -> Record:
        await self.get(kind, id)
        store = await self._call("update")
        store.records[kind][id].update(values)
        return self._record(kind, id)

    async def add_note(self, contact_id: str, text: str) -> str:
        await self.get("contact", contact_id)
        self._store.notes.append((contact_id, text))
        return str(next(self._store.ids))

    async def has_note(self, contact_id: str, text: str) -> bool:
        return (contact_id, text) in (await self._call("has_note")).notes

    async def add_task(self, contact_id: str, task: Task) -> str:
        await self.get("contact", contact_id)
        return str(next(self._store.ids))

    async def create_list(self, name: str) -> CrmList:
        raise NotImplementedError

    async def in_list(self, list_id: str, contact_id: str) -> bool:
        return (list_id, contact_id) in (await self._call("in_list")).members

    async def add_to_list(self, list_id: str, contact_id: str) -> None:
        (await self._call("add_to_list")).members.add((list_id, contact_id))


def definition(store: Store, name: str = "memory") -> Definition:
    def open(access: Access) -> MemoryCrm:
        return MemoryCrm(store, access.secret)

    return Definition(
        name=name,
        label="Memory",
        auth=TokenAuth("Settings, Private apps."),
        vendor=Vendor(name="memory", quota=Quota((Window(100, 10),))),
        capabilities=("contacts", "companies", "notes", "tasks", "owners", "lists", "custom_fields"),
        mapping={kind: {name: f"m_{name}" for name in names} for kind, names in FIELDS.items()},
        open=open,
    )
