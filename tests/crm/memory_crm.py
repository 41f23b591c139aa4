"""A CRM in memory, as another vendor's would be: no transaction, answers that take a turn, a token, own quirks."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import msgspec

from addtocrm.core.outgoing.vendor import Quota, Vendor, Window
from addtocrm.crm.contract import (
    Access,
    CrmAccount,
    CrmList,
    Definition,
    Field,
    Fields,
    Found,
    Owner,
    Record,
    Rule,
    Sought,
    Task,
    Term,
    TokenAuth,
    Update,
)
from addtocrm.crm.failures import Changed, Expired, Failure, NotFound, UnknownField
from addtocrm.crm.kinds import Kind

NAMES: dict[Kind, tuple[str, ...]] = {
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
"""Our names of what it has; it calls them `m_<name>`."""
CUSTOM_FIELDS = (
    Field(name="tier", label="Tier", type="text", custom=True),
    Field(name="score", label="Score", type="number", custom=True),
    Field(name="vip", label="VIP", type="boolean", custom=True),
    Field(name="tags", label="Tags", type="list", custom=True),
)
TOKEN = "memory-token-1"
TYPES: dict[str, Any] = {"employee_count": "number", "company_id": "reference", "owner": "reference"}


class Store:
    """What the vendor has. `failure` is what becomes of all but finding records."""

    def __init__(self) -> None:
        self.fields: dict[Kind, dict[str, Field]] = {
            kind: {f"m_{name}": Field(name=f"m_{name}", label=name, type=TYPES.get(name, "text")) for name in names}
            for kind, names in NAMES.items()
        }
        self.fields["contact"] |= {field.name: field for field in CUSTOM_FIELDS}
        self.records: dict[Kind, dict[str, dict[str, Any]]] = {"contact": {}, "company": {}}
        self.notes: list[tuple[str, str]] = []
        self.members: set[tuple[str, str]] = set()
        self.ids = itertools.count(1)
        self.calls: list[str] = []
        self.portal = "portal-1"
        self.failure: Failure | None = None
        self.after_create: asyncio.Event | None = None
        """Answers to a `create` wait for this, after it was done."""


class MemoryCrm:
    def __init__(self, store: Store, token: str | None) -> None:
        self._store, self._token = store, token

    async def _call(self, name: str) -> Store:
        self._store.calls.append(name)
        await asyncio.sleep(0.002)
        if self._token != TOKEN:
            raise Expired(self._token or "")
        if self._store.failure and name not in ("info", "fields", "find"):
            raise self._store.failure
        return self._store

    def _record(self, kind: Kind, id: str) -> Record:
        fields = dict(self._store.records[kind][id])
        return Record(
            kind=kind, id=id, url=f"https://memory.example.com/{id}", fields=fields, version=str(sorted(fields.items()))
        )

    async def info(self) -> CrmAccount:
        return CrmAccount((await self._call("info")).portal, "Memory of example.com")

    async def fields(self, kind: Kind) -> list[Field]:
        return list((await self._call("fields")).fields[kind].values())

    async def owners(self) -> list[Owner]:
        await self._call("owners")
        return [Owner("7", "rep@example.com", "Rep")]

    async def lists(self) -> list[CrmList]:
        await self._call("lists")
        return [CrmList("l1", "Newsletter")]

    async def find(self, kind: Kind, sought: Sequence[Sought]) -> Found:
        store = await self._call("find")
        terms = [term for one in sought for term in one.terms]
        return Found(
            self._record(kind, id)
            for id, there in store.records[kind].items()
            if any(_holds(term, there) for term in terms)
        )

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        store = await self._call("get")
        return {id: self._record(kind, id) for id in ids if id in store.records[kind]}

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        store = await self._call("page")
        ids = list(store.records[kind])
        start = ids.index(after) + 1 if after else 0
        return [self._record(kind, id) for id in ids[start : start + limit]]

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        store = await self._call("create")
        outcomes: list[Record | Failure] = []
        for row in rows:
            if unknown := [name for name in row if name not in store.fields[kind]]:
                outcomes.append(UnknownField(unknown[0], "is no field."))
                continue
            id = str(next(store.ids))
            store.records[kind][id] = dict(row)
            outcomes.append(self._record(kind, id))
        if store.after_create:
            await store.after_create.wait()
        return outcomes

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        store = await self._call("update")
        outcomes: list[Record | Failure] = []
        for one in updates:
            there = store.records[kind].get(one.record.id)
            if there is None:
                outcomes.append(NotFound(f"{kind} {one.record.id}"))
            elif one.guarded and self._record(kind, one.record.id).version != one.record.version:
                outcomes.append(Changed())
            else:
                changed = {**there, **one.changes}
                store.records[kind][one.record.id] = {name: of for name, of in changed.items() if of is not None}
                outcomes.append(self._record(kind, one.record.id))
        return outcomes

    async def create_field(self, kind: Kind, field: Field) -> Field:
        (await self._call("create_field")).fields[kind][field.name] = field
        return field

    async def _require(self, contact_id: str) -> None:
        if not await self.get("contact", [contact_id]):
            raise NotFound(f"contact {contact_id}")

    async def add_note(self, contact_id: str, text: str) -> str:
        await self._require(contact_id)
        (await self._call("add_note")).notes.append((contact_id, text))
        return str(next(self._store.ids))

    async def has_note(self, contact_id: str, text: str) -> bool:
        return (contact_id, text) in (await self._call("has_note")).notes

    async def add_task(self, contact_id: str, task: Task) -> str:
        await self._require(contact_id)
        return str(next((await self._call("add_task")).ids))

    async def create_list(self, name: str) -> CrmList:
        raise NotImplementedError

    async def in_list(self, list_id: str, contact_ids: Sequence[str]) -> set[str]:
        members = (await self._call("in_list")).members
        return {id for id in contact_ids if (list_id, id) in members}

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        (await self._call("add_to_list")).members.update((list_id, id) for id in contact_ids)


def _holds(term: Term, there: dict[str, Any]) -> bool:
    return all(
        str(there.get(field, "")).lower() in {one.lower() for one in texts} and field in there
        for field, texts in term.items()
    )


def definition(store: Store, name: str = "memory", **more: Any) -> Definition:
    def open(access: Access) -> MemoryCrm:
        assert access.calls
        return MemoryCrm(store, access.calls.token)

    made = Definition(
        name=name,
        label="Memory",
        token=TokenAuth(where="Settings, Private apps."),
        vendor=Vendor(name="memory", quota=Quota((Window(100, 10),))),
        capabilities=("contacts", "companies", "notes", "tasks", "owners", "lists", "custom_fields"),
        mapping={
            kind: tuple(Rule(field=f"m_{name}", from_=(name,)) for name in names) for kind, names in NAMES.items()
        },
        open=open,
    )
    return msgspec.structs.replace(made, **more)
