"""Attio, REST API v2 (OpenAPI document: https://api.attio.com/openapi/api).

- OAuth and keys: https://docs.attio.com/docs/oauth/authorize and /token; no scope is sent (the app has them), no token
  ends and none is refreshed. `/v2/self` says `active: false` of a dead one.
- 100 reads and 25 writes a second, Retry-After as a date; queries have scores besides, whose limits are not
  published: https://docs.attio.com/rest-api/guides/rate-limiting. So a query has few conditions (TERMS is ours).
- Operators by type: https://docs.attio.com/rest-api/guides/filtering-and-sorting, /docs/attribute-types; email has no
  `$in`. That `$contains` ignores case is known from public clients only.
- Queries are never behind writes, other than /records/search: .../endpoint-reference/records/search-records
- PATCH puts new values of a multi-select before those that are there, PUT replaces them: .../records
- Merging makes a new record; both old ones answer 404: .../records/merge-two-records
- 500 records a page is the default, a maximum is not published; notes: at most 50 (OpenAPI).
- Texts hold 10 MB: https://docs.attio.com/docs/attribute-types/attribute-types-text
- Not confirmed: the error texts that name an attribute (public clients), and that `[]` by PUT empties a single value.
"""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from addtocrm.core.identifiers import name_key
from addtocrm.core.outgoing.client import Method, Reply
from addtocrm.core.outgoing.vendor import Quota, Vendor, Window
from addtocrm.core.times import rfc3339
from addtocrm.crm import contract
from addtocrm.crm.calling import Calls
from addtocrm.crm.connectors.attio.values import (
    COMPANY,
    KINDS,
    MAPPING,
    OF_COMPANY,
    STANDARD,
    Attribute,
    Ids,
    Row,
    Schema,
    changed,
    condition,
    fields_of,
    joined,
    of_company,
    read,
    slug_of,
    texts_of,
    written,
)
from addtocrm.crm.contract import Changes, Failure, Field, Fields, Kind, Record, Rejected, Unavailable, Update
from addtocrm.crm.several import all_together, parts, together

T = TypeVar("T")
R = TypeVar("R")
READS = Vendor(name="attio", quota=Quota((Window(100, 1),)))
WRITES = Vendor(name="attio_writes", quota=Quota((Window(25, 1),)))
TOGETHER, TERMS, PAGE, NAMESAKES, IDS, NOTES, NOTE_PAGES = 8, 20, 500, 100, 100, 50, 20
MERGING_SECONDS = 5
OBJECTS: Mapping[Kind, str] = {"contact": "people", "company": "companies"}
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
OLDEST = [{"direction": "asc", "attribute": "created_at"}, {"direction": "asc", "attribute": "record_id"}]
MADE = {
    "text": "text",
    "number": "number",
    "boolean": "checkbox",
    "date": "date",
    "choice": "select",
    "choices": "select",
}
UNIQUE: Mapping[Kind, str] = {"contact": "email_addresses", "company": "domains"}


class Thing(msgspec.Struct, frozen=True):
    """A list, note, task, member, option or entry: each has some of these."""

    id: Ids = Ids()
    name: str = ""
    parent_object: list[str] | str = []
    parent_record_id: str = ""
    content_plaintext: str = ""
    title: str = ""
    is_archived: bool = False
    email_address: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    access_level: str = ""


class Identity(msgspec.Struct, frozen=True):
    active: bool
    workspace_id: str = ""
    workspace_name: str = ""
    workspace_slug: str = ""


class Detail(msgspec.Struct, frozen=True):
    path: list[str | int] = []
    message: str = ""


class Problem(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""
    validation_errors: list[Detail] = []


class Attio:
    """The Connector to one workspace."""

    def __init__(self, access: contract.Access) -> None:
        assert access.calls
        self._calls: Calls = access.calls
        self._reads, self._page_url = access.reads, access.page_url
        self._schemas: dict[Kind, Schema] = {}

    async def _query(self, path: str, body: Mapping[str, Any]) -> Reply:
        return await self._calls.ask("POST", f"/v2/{path}/query", json=body, idempotent=True)

    async def _write(self, method: Method, path: str, data: Mapping[str, Any]) -> Reply:
        return await self._calls.ask(
            method, f"/v2/{path}", vendor=WRITES, json={"data": data}, idempotent=method != "POST"
        )

    async def info(self) -> contract.CrmAccount:
        reply = await self._calls.ask("GET", "/v2/self")
        who = _data(Reply(reply.status, reply.headers, {"data": reply.data}), Identity)
        if not who.active:
            raise contract.Expired(self._calls.token)
        return contract.CrmAccount(who.workspace_id, who.workspace_name, f"https://app.attio.com/{who.workspace_slug}")

    async def _attributes(self, kind: Kind) -> Schema:
        reply = await self._calls.ask("GET", f"/v2/objects/{OBJECTS[kind]}/attributes")
        return {one.api_slug: one for one in _data(reply, list[Attribute]) if not one.is_archived}

    async def _schema(self, kind: Kind, names: Iterable[str]) -> Schema:
        if kind in self._schemas:
            return self._schemas[kind]
        if {slug_of(name) for name in names if name not in COMPANY} <= STANDARD[kind].keys():
            return STANDARD[kind]
        self._schemas[kind] = await self._attributes(kind)
        return self._schemas[kind]

    async def fields(self, kind: Kind) -> list[Field]:
        attributes = [*(await self._attributes(kind)).values()]
        options = await all_together(attributes, lambda one: self._options(kind, one), TOGETHER)
        found = [field for one, some in zip(attributes, options, strict=True) for field in fields_of(kind, one, some)]
        return [*found, *(OF_COMPANY if kind == "contact" else ())]

    async def _options(self, kind: Kind, attribute: Attribute) -> list[contract.Option]:
        if KINDS.get(attribute.type) != "choice":
            return []
        what = "options" if attribute.type == "select" else "statuses"
        path = f"/v2/objects/{OBJECTS[kind]}/attributes/{attribute.api_slug}/{what}"
        choices = _data(await self._calls.ask("GET", path), list[Thing])
        return [contract.Option(one.title, one.title) for one in choices if not one.is_archived]

    async def create_field(self, kind: Kind, field: Field) -> Field:
        if field.type not in MADE:
            raise Rejected(field.name, f"Attio cannot make a field of the type {field.type}.")
        path = f"objects/{OBJECTS[kind]}/attributes"
        flags = {"is_required": False, "is_unique": False, "is_multiselect": field.type == "choices"}
        data: dict[str, Any] = {
            "title": field.label,
            "description": None,
            "api_slug": field.name,
            "type": MADE[field.type],
            "config": {},
        }
        reply = await self._write("POST", path, data | flags)
        if reply.status != 409:
            _data(reply, Attribute)
            for option in field.options:
                _data(await self._write("POST", f"{path}/{field.name}/options", {"title": option.value}), Thing)
        self._schemas.pop(kind, None)
        return next((one for one in await self.fields(kind) if one.name == field.name), field)

    async def owners(self) -> list[contract.Owner]:
        members = _data(await self._calls.ask("GET", "/v2/workspace_members"), list[Thing])
        return [
            contract.Owner(one.id.workspace_member_id, one.email_address, joined(one.first_name, one.last_name) or None)
            for one in members
            if one.access_level != "suspended"
        ]

    async def find(self, kind: Kind, sought: Sequence[contract.Sought]) -> list[Record]:
        terms = list({repr(term): term for one in sought for term in one.terms if all(term.values())}.values())
        schema = await self._schema(kind, [name for term in terms for name in term])
        known = [term for term in terms if all(slug_of(name) in schema for name in term)]
        found = await all_together(parts(known, TERMS), lambda some: self._search(kind, schema, some), TOGETHER)
        rows = {row.id.record_id: row for part in found for row in part}
        return await self._records(kind, sorted(rows.values(), key=lambda row: (row.created_at, row.id.record_id)))

    async def _search(
        self, kind: Kind, schema: Schema, terms: Sequence[contract.Term], exact: bool = False
    ) -> list[Row]:
        """What the terms find. Where that is too much for one answer, each of them has its own; a term alone has
        NAMESAKES by its words, and as many that are written just so."""
        limit = NAMESAKES if len(terms) == 1 else PAGE
        any_of = {"$or": [condition(schema, term, exact) for term in terms]}
        body = {"filter": any_of, "sorts": OLDEST, "limit": limit}
        rows = _data(await self._query(f"objects/{OBJECTS[kind]}/records", body), list[Row])
        if len(rows) < limit:
            return rows
        if len(terms) == 1:
            return rows if exact else rows + await self._search(kind, schema, terms, exact=True)
        middle = len(terms) // 2
        halves = [await self._search(kind, schema, some) for some in (terms[:middle], terms[middle:])]
        return halves[0] + halves[1]

    async def _by_id(self, kind: Kind, ids: Sequence[str]) -> list[Row]:
        async def some(part: Sequence[str]) -> list[Row]:
            body = {"filter": {"record_id": {"$in": part}}, "limit": IDS}
            return _data(await self._query(f"objects/{OBJECTS[kind]}/records", body), list[Row])

        return [row for part in await all_together(parts(ids, IDS), some, TOGETHER) for row in part]

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        real = [id for id in dict.fromkeys(ids) if UUID.fullmatch(id)]
        if len(real) == 1:
            reply = await self._calls.ask("GET", f"/v2/objects/{OBJECTS[kind]}/records/{real[0]}")
            if isinstance(failure := _failure(reply), contract.NotFound):
                return {}
            rows = [_data(reply, Row, failure)]
        else:
            rows = await self._by_id(kind, real)
        return {record.id: record for record in await self._records(kind, rows)}

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        """By the time of creation, which nothing changes."""
        path, since, rows, seen = f"objects/{OBJECTS[kind]}/records", ("", ""), list[Row](), 0
        if after:
            reply = await self._calls.ask("GET", f"/v2/{path}/{after}")
            since = (_data(reply, Row, _failure(reply, f"{kind} {after}")).created_at, after)
        only = {"filter": {"created_at": {"$gte": since[0]}}} if after else {}
        size = min(limit + 1, PAGE)
        while len(rows) < limit:
            body = {**only, "sorts": OLDEST, "limit": size, "offset": seen}
            more = _data(await self._query(path, body), list[Row])
            rows += [row for row in more if (row.created_at, row.id.record_id) > since]
            seen += len(more)
            if len(more) < size:
                break
        return await self._records(kind, rows[:limit])

    async def _records(self, kind: Kind, rows: Sequence[Row]) -> list[Record]:
        names = self._reads.get(kind, set())
        schema = await self._schema(kind, names)
        records = [self._record(kind, schema, row) for row in rows]
        linked = sorted({str(one.fields["company"]) for one in records if "company" in one.fields})
        if kind != "contact" or not linked or not names & COMPANY.keys():
            return records
        companies = {row.id.record_id: row for row in await self._by_id("company", linked)}
        return [_with(one, of_company(companies.get(str(one.fields.get("company"))))) for one in records]

    def _record(self, kind: Kind, schema: Schema, row: Row) -> Record:
        page = "person" if kind == "contact" else "company"
        url = row.web_url or (f"{self._page_url}/{page}/{row.id.record_id}" if self._page_url else None)
        return Record(kind=kind, id=row.id.record_id, url=url, fields=read(schema, row))

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        # Whatever can fail is read before: what was made must not be lost with an answer.
        schema = await self._schema(kind, {*self._reads.get(kind, ()), *(name for row in rows for name in row)})

        async def one(fields: Fields) -> Record:
            values = {"values": written(schema, fields, {})}
            reply = await self._write("POST", f"objects/{OBJECTS[kind]}/records", values)
            return self._record(kind, schema, await self._written(kind, reply, schema, fields))

        return await together(rows, one, TOGETHER)

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        names = {name for update in updates for name in update.changes}
        schema = await self._schema(kind, {*self._reads.get(kind, ()), *names})

        async def one(update: Update) -> Record:
            method, values = changed(schema, update)
            if not values:
                return update.record
            path = f"objects/{OBJECTS[kind]}/records/{update.record.id}"
            reply = await self._write(method, path, {"values": values})
            row = await self._written(kind, reply, schema, update.changes, update.record.id)
            before, record = update.record.fields, self._record(kind, schema, row)
            same = record.fields.get("company") == before.get("company")
            return _with(record, {name: before[name] for name in COMPANY if same and name in before})

        return await together(updates, one, TOGETHER)

    async def _written(self, kind: Kind, reply: Reply, schema: Schema, sent: Changes, id: str = "") -> Row:
        if _problem(reply).code == "uniqueness_conflict":
            unique = UNIQUE[kind]
            texts = texts_of(sent.get(unique))
            rows = await self._search(kind, STANDARD[kind], [{unique: texts}]) if texts else []
            raise contract.Duplicate(next((row.id.record_id for row in rows if row.id.record_id != id), None), kind)
        return _data(reply, Row, _failure(reply, f"{kind} {id}", schema, sent))

    async def add_note(self, contact_id: str, text: str) -> str:
        parent = {"parent_object": "people", "parent_record_id": contact_id}
        title = (text.strip().splitlines() or ["Note"])[0][:80]
        reply = await self._write("POST", "notes", {**parent, "title": title, "format": "plaintext", "content": text})
        return _data(reply, Thing, _failure(reply, f"contact {contact_id}")).id.note_id

    async def has_note(self, contact_id: str, text: str) -> bool:
        asked = {"parent_object": "people", "parent_record_id": contact_id, "limit": str(NOTES)}
        for page in range(NOTE_PAGES):
            reply = await self._calls.ask("GET", "/v2/notes", params={**asked, "offset": str(page * NOTES)})
            notes = _data(reply, list[Thing], _failure(reply, f"contact {contact_id}"))
            if any(one.content_plaintext.split() == text.split() for one in notes):
                return True
            if len(notes) < NOTES:
                break
        return False

    async def add_task(self, contact_id: str, task: contract.Task) -> str:
        owner = [{"referenced_actor_type": "workspace-member", "referenced_actor_id": task.owner}] if task.owner else []
        data: dict[str, Any] = {
            "content": "\n".join(filter(None, (task.title, task.description))),
            "format": "plaintext",
            "deadline_at": rfc3339(task.due_at) if task.due_at else None,
            "is_completed": False,
            "linked_records": [{"target_object": "people", "target_record_id": contact_id}],
            "assignees": owner,
        }
        reply = await self._write("POST", "tasks", data)
        return _data(reply, Thing, _failure(reply, f"contact {contact_id}")).id.task_id

    async def lists(self) -> list[contract.CrmList]:
        lists = _data(await self._calls.ask("GET", "/v2/lists"), list[Thing])
        return [contract.CrmList(one.id.list_id, one.name) for one in lists if "people" in one.parent_object]

    async def create_list(self, name: str) -> contract.CrmList:
        slug = "_".join([*name_key(name).split()[:6], secrets.token_hex(3)])
        access: dict[str, Any] = {"workspace_access": "full-access", "workspace_member_access": []}
        data: dict[str, Any] = {"name": name, "api_slug": slug, "parent_object": "people", **access}
        return contract.CrmList(_data(await self._write("POST", "lists", data), Thing).id.list_id, name)

    async def in_list(self, list_id: str, contact_ids: Sequence[str]) -> set[str]:
        async def some(ids: Sequence[str]) -> list[Thing]:
            path = [[list_id, "parent_record"], ["people", "record_id"]]
            body = {"filter": {"path": path, "constraints": {"value": {"$in": ids}}}, "limit": PAGE}
            reply = await self._query(f"lists/{list_id}/entries", body)
            return _data(reply, list[Thing], _failure(reply, f"list {list_id}"))

        ids = [id for id in contact_ids if UUID.fullmatch(id)]
        found = await all_together(parts(ids, IDS), some, TOGETHER)
        return {entry.parent_record_id for part in found for entry in part}

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        async def one(id: str) -> None:
            data: dict[str, Any] = {"parent_record_id": id, "parent_object": "people", "entry_values": {}}
            reply = await self._write("PUT", f"lists/{list_id}/entries", data)
            if _problem(reply).code != "multiple_match_results":
                _data(reply, Thing, _failure(reply, f"list {list_id} or contact {id}"))

        await all_together(contact_ids, one, TOGETHER)


def _data(reply: Reply, form: type[T], failure: Failure | None = None) -> T:
    """The answer's `data`. Raises the failure that the answer says."""
    if reply.status not in (200, 201):
        raise failure or _failure(reply)
    try:
        return msgspec.convert(reply.data["data"], form)
    except (msgspec.ValidationError, KeyError, TypeError):
        raise Unavailable(maybe_done=True) from None


def _with(record: Record, fields: Fields) -> Record:
    return msgspec.structs.replace(record, fields={**record.fields, **fields}) if fields else record


def _problem(reply: Reply) -> Problem:
    try:
        return msgspec.convert(reply.data, Problem) if reply.status >= 400 else Problem()
    except msgspec.ValidationError:
        return Problem()


def _failure(reply: Reply, what: str = "record", schema: Schema | None = None, sent: Changes | None = None) -> Failure:
    problem, schema, sent = _problem(reply), schema or {}, sent or {}
    if problem.code in ("", "merge_in_progress"):
        return Unavailable(MERGING_SECONDS if problem.code else 30)
    if reply.status == 403:
        return Rejected("", f"The connection to Attio lacks a permission: {problem.message}")
    if reply.status == 404:
        return contract.NotFound(what)
    named = re.search(r'with slug(?:/ID)? "([^"]+)"', problem.message)
    field = named[1] if named else ""
    if problem.code == "value_not_found" and problem.message.startswith("Cannot find attribute"):
        return contract.UnknownField(field, problem.message)
    if title := re.search(r'title(?:/ID)? "(.*)"', problem.message):
        choices = [name for name in sent if name in schema and KINDS.get(schema[name].type) == "choice"]
        field = field or next((name for name in choices if title[1] in texts_of(sent[name])), "")
    error = problem.validation_errors[0] if problem.validation_errors else Detail()
    part = next((f"{field}.{one}" for one in error.path if f"{field}.{one}" in sent), field)
    return Rejected(part, joined(problem.message, error.message))


connector = contract.Definition(
    name="attio",
    label="Attio",
    vendor=READS,
    api_url="https://api.attio.com",
    token=contract.TokenAuth(
        where="Attio: Workspace settings, Developers, a new access token with the scopes of docs/crm/attio.md"
    ),
    oauth=contract.OAuth(
        authorize_url="https://app.attio.com/authorize",
        token_url="https://app.attio.com/oauth/token",  # noqa: S106
        scopes=(),
    ),
    capabilities=(
        *("contacts", "companies", "notes", "tasks", "owners"),
        *("lists", "create_lists", "custom_fields", "create_fields"),
    ),
    mapping=MAPPING,
    batch=25,
    open=Attio,
)
