"""Attio's paths and calls: the Connector."""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from addtocrm.core.identifiers import name_key
from addtocrm.core.outgoing.client import Method, Reply
from addtocrm.core.outgoing.vendor import Quota, Vendor, Window
from addtocrm.core.times import rfc3339
from addtocrm.crm import contract, failures
from addtocrm.crm.calling import Calls
from addtocrm.crm.connectors.attio import company
from addtocrm.crm.connectors.attio.answers import Identity, Row, Thing, data, problem
from addtocrm.crm.connectors.attio.attributes import KINDS, STANDARD, Attribute, Schema, slug_of, to_member, to_record
from addtocrm.crm.connectors.attio.fields import fields_of, new_attribute
from addtocrm.crm.connectors.attio.search import OLDEST, any_of, entries
from addtocrm.crm.connectors.attio.values import changed, read, written
from addtocrm.crm.contract import Changes, Field, Fields, Record, Update
from addtocrm.crm.failures import Failure
from addtocrm.crm.kinds import Kind
from addtocrm.crm.several import all_together, parts, together

T = TypeVar("T")
WRITES = Vendor(name="attio_writes", quota=Quota((Window(25, 1),)))
TOGETHER, TERMS, PAGE, NAMESAKES, IDS, NOTES, NOTE_PAGES = 8, 20, 500, 100, 100, 50, 20
OBJECTS: Mapping[Kind, str] = {"contact": "objects/people", "company": "objects/companies"}
UNIQUE: Mapping[Kind, str] = {"contact": "email_addresses", "company": "domains"}
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Attio:
    """The Connector to one workspace."""

    def __init__(self, access: contract.Access) -> None:
        assert access.calls
        self._calls: Calls = access.calls
        self._reads = access.reads
        self._schemas: dict[Kind, Schema] = {}

    async def info(self) -> contract.CrmAccount:
        reply = await self._calls.ask("GET", "/v2/self")
        who = data(msgspec.structs.replace(reply, data={"data": reply.data}), Identity)
        if not who.active:
            raise failures.Expired(self._calls.token)
        return contract.CrmAccount(who.workspace_id, who.workspace_name, f"https://app.attio.com/{who.workspace_slug}")

    async def fields(self, kind: Kind) -> list[Field]:
        attributes = [*(await self._attributes(kind)).values()]
        options = await all_together(attributes, lambda one: self._options(kind, one), TOGETHER)
        found = [field for one, some in zip(attributes, options, strict=True) for field in fields_of(kind, one, some)]
        return [*found, *(company.FIELDS if kind == "contact" else ())]

    async def create_field(self, kind: Kind, field: Field) -> Field:
        path = f"{OBJECTS[kind]}/attributes"
        reply = await self._write("POST", path, new_attribute(field))
        if reply.status != 409:
            data(reply, Attribute)
            for option in field.options:
                data(await self._write("POST", f"{path}/{field.name}/options", {"title": option.value}), Thing)
        self._schemas.pop(kind, None)
        return next((one for one in await self.fields(kind) if one.name == field.name), field)

    async def owners(self) -> list[contract.Owner]:
        return [
            contract.Owner(
                one.id.workspace_member_id,
                one.email_address,
                " ".join(filter(None, (one.first_name, one.last_name))) or None,
            )
            for one in await self._get("workspace_members", list[Thing])
            if one.access_level != "suspended"
        ]

    async def find(self, kind: Kind, sought: Sequence[contract.Sought]) -> contract.Found:
        terms = {repr(term): term for one in sought for term in one.terms}.values()
        schema = await self._schema(kind, [name for term in terms for name in term])
        known = [term for term in terms if all(slug_of(name) in schema for name in term)]
        cut: list[contract.Term] = []
        found = await all_together(parts(known, TERMS), lambda some: self._search(kind, schema, some, cut), TOGETHER)
        rows = {row.id.record_id: row for part in found for row in part}
        records = await self._records(kind, sorted(rows.values(), key=lambda row: row.age))
        return contract.Found(records, cut)

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        real = [id for id in dict.fromkeys(ids) if UUID.fullmatch(id)]
        if len(real) == 1:
            try:
                rows = [await self._get(f"{OBJECTS[kind]}/records/{real[0]}", Row)]
            except failures.NotFound:
                return {}
        else:
            rows = await self._by_id(kind, real)
        return {record.id: record for record in await self._records(kind, rows)}

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        """By the time of creation, which nothing changes."""
        body: dict[str, Any] = {"sorts": OLDEST, "limit": min(limit + 1, PAGE)}
        since = ("", "")
        if after:
            since = (await self._get(f"{OBJECTS[kind]}/records/{after}", Row, f"{kind} {after}")).age
            body["filter"] = {"created_at": {"$gte": since[0]}}
        rows, seen = list[Row](), 0
        while len(rows) < limit:
            more = await self._rows(kind, {**body, "offset": seen})
            rows += [row for row in more if row.age > since]
            seen += len(more)
            if len(more) < body["limit"]:
                break
        return await self._records(kind, rows[:limit])

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        # Whatever can fail is read before: what was made must not be lost with an answer.
        schema = await self._schema(kind, {*self._reads.get(kind, ()), *(name for row in rows for name in row)})

        async def one(fields: Fields) -> Record:
            values = {"values": written(schema, fields, {})}
            reply = await self._write("POST", f"{OBJECTS[kind]}/records", values)
            return _record(kind, schema, await self._written(kind, reply, schema, fields))

        return await together(rows, one, TOGETHER)

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        names = {name for update in updates for name in update.changes}
        schema = await self._schema(kind, {*self._reads.get(kind, ()), *names})

        async def one(update: Update) -> Record:
            method, values = changed(schema, update)
            if not values:
                return update.record
            path = f"{OBJECTS[kind]}/records/{update.record.id}"
            reply = await self._write(method, path, {"values": values})
            record = _record(kind, schema, await self._written(kind, reply, schema, update.changes, update.record.id))
            return _with(record, company.kept(update.record.fields, record.fields))

        return await together(updates, one, TOGETHER)

    async def add_note(self, contact_id: str, text: str) -> str:
        title = (text.strip().splitlines() or ["Note"])[0][:80]
        note = {**_parent(contact_id), "title": title, "format": "plaintext", "content": text}
        return data(await self._write("POST", "notes", note), Thing, f"contact {contact_id}").id.note_id

    async def has_note(self, contact_id: str, text: str) -> bool:
        for page in range(NOTE_PAGES):
            asked = {**_parent(contact_id), "limit": str(NOTES), "offset": str(page * NOTES)}
            notes = await self._get("notes", list[Thing], f"contact {contact_id}", params=asked)
            if any(one.content_plaintext.split() == text.split() for one in notes):
                return True
            if len(notes) < NOTES:
                break
        return False

    async def add_task(self, contact_id: str, task: contract.Task) -> str:
        sent: dict[str, Any] = {
            "content": "\n".join(filter(None, (task.title, task.description))),
            "format": "plaintext",
            "deadline_at": rfc3339(task.due_at) if task.due_at else None,
            "is_completed": False,
            "linked_records": [to_record("people", contact_id)],
            "assignees": [to_member(task.owner)] if task.owner else [],
        }
        return data(await self._write("POST", "tasks", sent), Thing, f"contact {contact_id}").id.task_id

    async def lists(self) -> list[contract.CrmList]:
        lists = await self._get("lists", list[Thing])
        return [contract.CrmList(one.id.list_id, one.name) for one in lists if "people" in one.parent_object]

    async def create_list(self, name: str) -> contract.CrmList:
        slug = "_".join([*name_key(name).split()[:6], secrets.token_hex(3)])
        access: dict[str, Any] = {"workspace_access": "full-access", "workspace_member_access": []}
        reply = await self._write(
            "POST", "lists", {"name": name, "api_slug": slug, "parent_object": "people", **access}
        )
        return contract.CrmList(data(reply, Thing).id.list_id, name)

    async def in_list(self, list_id: str, contact_ids: Sequence[str]) -> set[str]:
        async def some(ids: Sequence[str]) -> list[Thing]:
            body = {"filter": entries(list_id, ids), "limit": PAGE}
            return data(await self._query(f"lists/{list_id}/entries", body), list[Thing], f"list {list_id}")

        ids = [id for id in contact_ids if UUID.fullmatch(id)]
        found = await all_together(parts(ids, IDS), some, TOGETHER)
        return {entry.parent_record_id for part in found for entry in part}

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        async def one(id: str) -> None:
            reply = await self._write("PUT", f"lists/{list_id}/entries", {**_parent(id), "entry_values": {}})
            if problem(reply).code != "multiple_match_results":
                data(reply, Thing, f"list {list_id} or contact {id}")

        await all_together(contact_ids, one, TOGETHER)

    async def _get(self, path: str, form: type[T], what: str = "record", **call: Any) -> T:
        return data(await self._calls.ask("GET", f"/v2/{path}", **call), form, what)

    async def _query(self, path: str, body: Mapping[str, Any]) -> Reply:
        return await self._calls.ask("POST", f"/v2/{path}/query", json=body, idempotent=True)

    async def _rows(self, kind: Kind, body: Mapping[str, Any]) -> list[Row]:
        return data(await self._query(f"{OBJECTS[kind]}/records", body), list[Row])

    async def _write(self, method: Method, path: str, sent: Mapping[str, Any]) -> Reply:
        return await self._calls.ask(
            method, f"/v2/{path}", vendor=WRITES, json={"data": sent}, idempotent=method != "POST"
        )

    async def _attributes(self, kind: Kind) -> Schema:
        attributes = await self._get(f"{OBJECTS[kind]}/attributes", list[Attribute])
        return {one.api_slug: one for one in attributes if not one.is_archived}

    async def _options(self, kind: Kind, attribute: Attribute) -> list[contract.Option]:
        if KINDS.get(attribute.type) != "choice":
            return []
        what = "options" if attribute.type == "select" else "statuses"
        choices = await self._get(f"{OBJECTS[kind]}/attributes/{attribute.api_slug}/{what}", list[Thing])
        return [contract.Option(one.title, one.title) for one in choices if not one.is_archived]

    async def _schema(self, kind: Kind, names: Iterable[str]) -> Schema:
        if kind in self._schemas:
            return self._schemas[kind]
        if {slug_of(name) for name in names} <= STANDARD[kind].keys():
            return STANDARD[kind]
        self._schemas[kind] = await self._attributes(kind)
        return self._schemas[kind]

    async def _search(
        self, kind: Kind, schema: Schema, terms: Sequence[contract.Term], cut: list[contract.Term], exact: bool = False
    ) -> list[Row]:
        """What the terms find. Where that is too much for one answer, each of them has its own; a term alone has
        NAMESAKES by its words, and PAGE that are written just so. One that has more is added to `cut`."""
        limit = NAMESAKES if len(terms) == 1 and not exact else PAGE
        rows = await self._rows(kind, {"filter": any_of(schema, terms, exact), "sorts": OLDEST, "limit": limit})
        if len(rows) < limit:
            return rows
        if len(terms) == 1:
            cut += terms if exact else ()
            return rows if exact else rows + await self._search(kind, schema, terms, cut, exact=True)
        middle = len(terms) // 2
        halves = [await self._search(kind, schema, some, cut) for some in (terms[:middle], terms[middle:])]
        return halves[0] + halves[1]

    async def _by_id(self, kind: Kind, ids: Sequence[str]) -> list[Row]:
        async def some(part: Sequence[str]) -> list[Row]:
            return await self._rows(kind, {"filter": {"record_id": {"$in": part}}, "limit": IDS})

        return [row for part in await all_together(parts(ids, IDS), some, TOGETHER) for row in part]

    async def _records(self, kind: Kind, rows: Sequence[Row]) -> list[Record]:
        names = self._reads.get(kind, set())
        schema = await self._schema(kind, names)
        records = [_record(kind, schema, row) for row in rows]
        if kind != "contact" or not names & company.SLUGS.keys():
            return records
        linked = sorted({str(one.fields["company"]) for one in records if "company" in one.fields})
        companies = {row.id.record_id: row for row in await self._by_id("company", linked)}
        return [_with(one, company.of_company(companies.get(str(one.fields.get("company"))))) for one in records]

    async def _written(self, kind: Kind, reply: Reply, schema: Schema, sent: Changes, id: str = "") -> Row:
        if problem(reply).code == "uniqueness_conflict":
            rows: list[Row] = []
            if isinstance(texts := sent.get(UNIQUE[kind]), list) and texts:
                rows = await self._search(kind, STANDARD[kind], [{UNIQUE[kind]: tuple(texts)}], [])
            raise failures.Duplicate(next((row.id.record_id for row in rows if row.id.record_id != id), None), kind)
        return data(reply, Row, f"{kind} {id}", schema, sent)


def _record(kind: Kind, schema: Schema, row: Row) -> Record:
    return Record(kind=kind, id=row.id.record_id, url=row.web_url, fields=read(schema, row), created_at=row.created_at)


def _with(record: Record, fields: Fields) -> Record:
    return msgspec.structs.replace(record, fields={**record.fields, **fields})


def _parent(contact_id: str) -> dict[str, str]:
    return {"parent_object": "people", "parent_record_id": contact_id}
