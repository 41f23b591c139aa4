"""HubSpot, by its CRM API v3 (objects, properties, lists, owners) and v4 (associations).

Numbers and where they are from. S is https://github.com/HubSpot/HubSpot-public-api-spec-collection (the vendor's own
specifications, 2026-08), D is https://developers.hubspot.com/docs.
- 100 requests in 10 s for an app in an account, more by plan (D/developer-tooling/platform/usage-guidelines); headers
  say how many. A 429 names its policy in the body only; no Retry-After is documented. The day ends at midnight in the
  account's time zone, which no answer tells.
- Search (D/api-reference/latest/crm/search-the-crm): 5 requests a second of its own without headers, 5 groups, 6
  filters in one, 18 in all, 3,000 characters, 200 hits a page; IN takes lower-case texts; new records come "a few
  moments" later. How long, and that it does not count for the 10 s too, is not confirmed.
- Batches of 100; objectWriteTraceId lets creations fail one by one (D/api-reference/error-handling). That batch/read by
  email finds additional addresses too is seen in public clients only; it needs no search. They are read-only
  (https://integrate.hubspot.com/t/email-or-pk-for-contact-api/11846, an old word of the vendor's).
- Notes of 65,536 characters (D/api-reference/crm-notes-v3/guide); for other texts that is not confirmed. Association
  types 202 (note), 204 (task), 1 (primary company): D/api-reference/crm-associations-v4/guide.
- Pages of 500 lists and associations: S. Of 500 owners: not confirmed.
- Tokens last 1,800 s, the refresh token stays, v1 of OAuth ends 2027-02-16 (D/api-reference/auth-oauth-v3/guide). v3
  takes code_verifier (S); whether the authorization page keeps code_challenge is not documented.
- hs_linkedin_url (contacts) and linkedin_company_page (companies) are HubSpot's own texts: seen in lists of properties.
- There is no way to write only what has not changed: before a guarded update the record is looked at once more.
"""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

import msgspec

from addtocrm.core.outgoing.client import Method, Reply
from addtocrm.core.outgoing.vendor import Lesson, Quota, Vendor, Window
from addtocrm.crm.contract import (
    Access,
    Changed,
    CrmAccount,
    CrmList,
    Definition,
    Duplicate,
    Failure,
    Field,
    Fields,
    Kind,
    NotFound,
    OAuth,
    Option,
    Owner,
    RateLimited,
    Record,
    Rejected,
    Rule,
    Sought,
    Task,
    Term,
    TokenAuth,
    Unavailable,
    UnknownField,
    Update,
    Value,
)
from addtocrm.crm.several import parts
from addtocrm.crm.texts import as_html, plain

T = TypeVar("T")
R = TypeVar("R")
OBJECT: Mapping[Kind, str] = {"contact": "contacts", "company": "companies"}
TYPE_ID: Mapping[Kind, str] = {"contact": "0-1", "company": "0-2"}
LINK, MORE_EMAILS, OWNER = "associatedcompanyid", "hs_additional_emails", "hubspot_owner_id"
REFERENCES = (LINK, OWNER)
NUMBERS = ("numberofemployees",)
BATCH, PAGE_SIZE, HITS, LONGEST = 100, 200, 1_000, 65_536
GROUPS, GROUP_FILTERS, FILTERS, BODY_BYTES, TEXT_BYTES = 5, 6, 18, 2_980, 2_000
NAMES_TOGETHER = 4
"""So many names share a group of filters, which finds a few people more: the first name of one, the last of another."""
DAY_USED_UP, WINDOW_USED_UP = 900.0, 10.0
EXISTING = re.compile(r"Existing ID:\s*(\d+)")
OBJECTS, LISTS, PROPERTIES = "/crm/v3/objects", "/crm/v3/lists", "/crm/v3/properties"
LINKS = "/crm/v4/associations/contacts/companies/batch"
TYPES: Mapping[str, Any] = {"number": "number", "bool": "boolean", "date": "date", "datetime": "date"}
"""Of a property and of a field; any other is a text."""
NEW_TYPES: Mapping[str, tuple[str, str]] = {
    "text": ("string", "text"),
    "number": ("number", "number"),
    "date": ("date", "date"),
    "boolean": ("bool", "booleancheckbox"),
    "choice": ("enumeration", "select"),
    "choices": ("enumeration", "checkbox"),
}
YES_NO = [Option("true", "Yes"), Option("false", "No")]
Group = tuple[int, Mapping[str, tuple[str, ...]]]
"""So many terms of the same fields, and the texts that each field may have."""


class NoScope(Rejected):
    """What the token may not do, whatever the values are."""


class Fault(msgspec.Struct):
    message: str = ""
    category: str = ""
    context: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None


class Problem(msgspec.Struct):
    name: str = ""
    error: str = ""
    message: str = ""


class Item(msgspec.Struct, rename="camel"):
    id: str
    properties: dict[str, str | None] = {}
    created_at: str = ""
    updated_at: str | None = None
    object_write_trace_id: str | None = None


class Done(msgspec.Struct):
    errors: list[Fault] = []


class Page(Done, Generic[T], kw_only=True):
    """The answer of a batch, a search or a list."""

    results: list[T]
    total: int = 0
    paging: dict[str, dict[str, Any]] | None = None

    @property
    def after(self) -> str:
        return str((self.paging or {}).get("next", {}).get("after", ""))


class Listed(msgspec.Struct, rename="camel"):
    list_id: str
    name: str = ""


class Lists(msgspec.Struct, rename="camel"):
    lists: list[Listed]
    has_more: bool = False


class NewList(msgspec.Struct):
    list: Listed


class Property(msgspec.Struct, rename="camel"):
    name: str
    label: str = ""
    type: str = "string"
    field_type: str = "text"
    options: list[dict[str, Any]] = []
    hubspot_defined: bool | None = False
    calculated: bool | None = False
    referenced_object_type: str | None = None
    modification_metadata: dict[str, Any] | None = None


class HubSpot:
    """The Connector of one account."""

    def __init__(self, access: Access) -> None:
        assert access.calls
        self._calls = access.calls
        self._reads = access.reads
        self._page_url = access.page_url
        self._names: dict[Kind, set[str]] = {}

    async def info(self) -> CrmAccount:
        details = await self._ask("GET", "/account-info/v3/details", dict[str, Any])
        host, id = str(details.get("uiDomain")), str(details.get("portalId", ""))
        if not id.isdigit():
            raise Unavailable()
        host = host if re.fullmatch(r"[a-z0-9-]+\.hubspot\.com", host) else "app.hubspot.com"
        return CrmAccount(id, str(details.get("portalName") or f"HubSpot {id}"), f"https://{host}/contacts/{id}")

    async def fields(self, kind: Kind) -> list[Field]:
        found = await self._ask("GET", f"{PROPERTIES}/{OBJECT[kind]}", Page[Property])
        self._names[kind] = {one.name for one in found.results}
        return [_field(kind, one) for one in found.results]

    async def create_field(self, kind: Kind, field: Field) -> Field:
        type, form = NEW_TYPES.get(field.type, (None, None))
        if type is None:
            raise Rejected(field.name, f"HubSpot has no property of the type {field.type}.")
        options = YES_NO if type == "bool" else field.options
        body = {
            "name": field.name,
            "label": field.label,
            "type": type,
            "fieldType": form,
            "groupName": f"{kind}information",
            "options": [
                {"label": one.label, "value": one.value, "hidden": False, "displayOrder": place}
                for place, one in enumerate(options)
            ],
        }
        path = f"{PROPERTIES}/{OBJECT[kind]}"
        try:
            made = await self._ask("POST", path, Property, json=body)
        except Duplicate:
            made = await self._ask("GET", f"{path}/{quote(field.name, safe='')}", Property)
        return _field(kind, made)

    async def owners(self) -> list[Owner]:
        owners: list[Owner] = []
        async for page in self._pages("/crm/v3/owners"):
            for one in page:
                name = " ".join(str(one[part]) for part in ("firstName", "lastName") if one.get(part))
                if one.get("type") != "QUEUE":
                    owners.append(Owner(str(one.get("id")), one.get("email"), name or None))
        return owners

    async def lists(self) -> list[CrmList]:
        found: list[CrmList] = []
        static = {"objectTypeId": TYPE_ID["contact"], "processingTypes": ["MANUAL", "SNAPSHOT"]}
        while True:
            body = {**static, "additionalProperties": [], "count": 500, "offset": len(found)}
            page = await self._ask("POST", f"{LISTS}/search", Lists, json=body, idempotent=True)
            found += [CrmList(one.list_id, one.name) for one in page.lists]
            if not page.has_more or not page.lists:
                return found

    async def find(self, kind: Kind, sought: Sequence[Sought]) -> list[Record]:
        if kind not in OBJECT:
            return []
        terms = [term for one in sought for term in one.terms]
        found: dict[str, Item] = {}
        emails = {
            text.strip().lower(): None for term in terms if _is_email(kind, term) for text in next(iter(term.values()))
        }
        for part in parts(list(emails), BATCH):
            found |= await self._many(kind, part, "email")
        ids: dict[str, None] = {}
        for query in _queries(term for term in terms if not _is_email(kind, term)):
            ids |= dict.fromkeys(await self._search(kind, query))
        for part in parts([id for id in ids if id not in found], BATCH):
            found |= await self._many(kind, part)
        return [self._record(kind, item) for item in sorted(found.values(), key=_age)]

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        if kind not in OBJECT:
            return {}
        wanted = list(dict.fromkeys(ids))
        found = [await self._many(kind, part) for part in parts(wanted, BATCH)]
        return {id: self._record(kind, item) for one in found for id, item in one.items() if id in wanted}

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        if kind not in OBJECT:
            return []
        records: list[Record] = []
        last, full = after or "0", True
        while full and len(records) < limit:
            size = min(BATCH, limit - len(records))
            beyond = [{"propertyName": "hs_object_id", "operator": "GT", "value": last}]
            found = await self._ask_search(kind, [{"filters": beyond}], "hs_object_id", size)
            ids = [one.id for one in found.results]
            items = await self._many(kind, ids) if ids else {}
            records += [self._record(kind, items[id]) for id in ids if id in items]
            last, full = ids[-1] if ids else last, len(ids) == size
        return records

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        return await _each(rows, BATCH, partial(self._create, kind))

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        results = await self._guarded(kind, updates)
        places = [p for p, one in enumerate(updates) if isinstance(results[p], Record) and _properties(one.changes)]
        written = await _each([updates[place] for place in places], BATCH, partial(self._update, kind))
        for place, result in zip(places, written, strict=True):
            results[place] = result
        for path in ("create", "archive"):
            rows = [
                (place, one.record.id, str(company))
                for place, one in enumerate(updates)
                if LINK in one.changes and isinstance(results[place], Record)
                for company in [one.changes[LINK] if path == "create" else one.record.fields.get(LINK)]
                if company and (path == "create" or one.changes[LINK] is None)
            ]
            for row, result in zip(rows, await _each(rows, BATCH, partial(self._link, path)), strict=True):
                if result:
                    results[row[0]] = result
        return results

    async def add_note(self, contact_id: str, text: str) -> str:
        return await self._add("notes", contact_id, 202, {"hs_note_body": as_html(text), "hs_timestamp": _millis(None)})

    async def has_note(self, contact_id: str, text: str) -> bool:
        path = f"/crm/v4/objects/contacts/{quote(contact_id, safe='')}/associations/notes"
        async for page in self._pages(path, f"contact {contact_id}"):
            for part in parts([str(one.get("toObjectId")) for one in page], BATCH):
                notes = await self._read_many("notes", part, ["hs_note_body"])
                if plain(as_html(text)) in [plain(one.properties.get("hs_note_body") or "") for one in notes]:
                    return True
        return False

    async def add_task(self, contact_id: str, task: Task) -> str:
        values = {
            "hs_task_subject": task.title,
            "hs_task_body": as_html(task.description or ""),
            "hs_task_status": "NOT_STARTED",
            "hs_task_type": "TODO",
            "hs_timestamp": _millis(task.due_at),
            OWNER: task.owner or "",
        }
        return await self._add("tasks", contact_id, 204, {name: value for name, value in values.items() if value})

    async def create_list(self, name: str) -> CrmList:
        """The static list of that name, a new one where there is none: names are unique in any case."""
        for one in await self.lists():
            if one.name.casefold() == name.casefold():
                return one
        body = {"name": name, "objectTypeId": TYPE_ID["contact"], "processingType": "MANUAL"}
        made = (await self._ask("POST", LISTS, NewList, json=body)).list
        return CrmList(made.list_id, made.name or name)

    async def in_list(self, list_id: str, contact_ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for part in parts(list(dict.fromkeys(contact_ids)), BATCH):
            body = {"inputs": [{"objectTypeId": TYPE_ID["contact"], "recordId": id} for id in part]}
            path = f"{LISTS}/records/memberships/batch/read"
            page = await self._ask("POST", path, Page[dict[str, Any]], json=body, idempotent=True)
            for one in page.results:
                on = [str(each.get("listId")) for each in one.get("recordListMemberships") or ()]
                found |= {str(one.get("recordId"))} if list_id in on else set()
        return found

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        path = f"{LISTS}/{quote(list_id, safe='')}/memberships/add"
        await self._ask("PUT", path, dict[str, Any], f"list {list_id}", json=list(contact_ids))

    # How it asks.

    async def _ask(self, method: Method, path: str, type: type[T], what: str = "record", **call: Any) -> T:
        """The decoded answer. Raises the Failure that the vendor's error says."""
        reply = await self._calls.ask(method, path, **call)
        if reply.status < 400:
            return _decoded(reply.data or {}, type, maybe_done=True)
        fault = _decoded(reply.data or {}, Fault, maybe_done=False)
        failure = _failure(reply, fault, what)
        if isinstance(failure, RateLimited):
            raise await self._calls.limited(failure.retry_after, call.get("vendor"))
        raise failure

    async def _pages(self, path: str, what: str = "record") -> AsyncGenerator[list[dict[str, Any]]]:
        params = {"limit": "500"}
        while True:
            page = await self._ask("GET", path, Page[dict[str, Any]], what, params=params)
            yield page.results
            if not page.after:
                return
            params["after"] = page.after

    async def _many(self, kind: Kind, ids: Sequence[str], key: str | None = None) -> dict[str, Item]:
        return {one.id: one for one in await self._read_many(OBJECT[kind], ids, sorted(self._reads[kind]), key)}

    async def _read_many(
        self, object: str, ids: Sequence[str], properties: Sequence[str], key: str | None = None
    ) -> list[Item]:
        body: dict[str, Any] = {"inputs": [{"id": id} for id in ids], "properties": properties}
        body |= {"propertiesWithHistory": [], **({"idProperty": key} if key else {})}
        found = await self._ask("POST", f"{OBJECTS}/{object}/batch/read", Page[Item], json=body, idempotent=True)
        for fault in found.errors:
            if not isinstance(failure := _failure(None, fault, object), NotFound):
                raise failure
        return found.results

    async def _search(self, kind: Kind, query: Sequence[Group]) -> list[str]:
        """Ids of what is found: of a group with very many, the oldest HITS."""
        query = [one for one in query if kind not in self._names or self._names[kind] >= set(one[1])]
        if not query:
            return []
        groups = _filter_groups(query)
        try:
            found = await self._ask_search(kind, groups)
        except Rejected:
            await self.fields(kind)
            if all(set(one[1]) <= self._names[kind] for one in query):
                raise
            return await self._search(kind, query)
        if found.total > PAGE_SIZE and len(query) > 1:
            return [id for one in query for id in await self._search(kind, [one])]
        ids = [one.id for one in found.results]
        while found.after and len(ids) < HITS:
            found = await self._ask_search(kind, groups, after=found.after)
            ids += [one.id for one in found.results]
        return ids

    async def _ask_search(
        self,
        kind: Kind,
        groups: list[dict[str, Any]],
        sort: str = "createdate",
        limit: int = PAGE_SIZE,
        after: str = "0",
    ) -> Page[Item]:
        path, body = f"{OBJECTS}/{OBJECT[kind]}/search", _search_body(groups, sort, limit, after)
        return await self._ask("POST", path, Page[Item], json=body, vendor=SEARCH, idempotent=True)

    async def _create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        path = f"{OBJECTS}/{OBJECT[kind]}"
        inputs = [{"properties": _properties(row), "associations": _associations(row.get(LINK), 1)} for row in rows]
        if len(rows) == 1:
            return [self._record(kind, await self._ask("POST", path, Item, json=inputs[0]), rows[0])]
        body = {"inputs": [{**one, "objectWriteTraceId": str(place)} for place, one in enumerate(inputs)]}
        made = await self._ask("POST", f"{path}/batch/create", Page[Item], json=body)
        results = _failures(made.errors, "objectWriteTraceId", kind)
        for item in made.results:
            trace = item.object_write_trace_id or ""
            if trace.isdigit() and int(trace) < len(rows):
                results[trace] = self._record(kind, item, rows[int(trace)])
        return [results.get(str(place)) or Unavailable(maybe_done=True) for place in range(len(rows))]

    async def _guarded(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        """What the updates will give; Changed where a value that one must find as it was has become another."""
        guarded = [one.record.id for one in updates if one.guarded]
        now = {id: item for part in parts(guarded, BATCH) for id, item in (await self._many(kind, part)).items()}
        results: list[Record | Failure] = []
        for one in updates:
            fields = _read(now[one.record.id].properties) if one.record.id in now else {}
            looked = {name for name in one.changes if name in self._reads[kind]} if one.guarded else set[str]()
            if one.guarded and one.record.id not in now:
                results.append(NotFound(f"{kind} {one.record.id}"))
            elif any(fields.get(name) != one.record.fields.get(name) for name in looked):
                results.append(Changed())
            else:
                results.append(_changed(one, None))
        return results

    async def _update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        path = f"{OBJECTS}/{OBJECT[kind]}"
        if len(updates) == 1:
            id, body = updates[0].record.id, {"properties": _properties(updates[0].changes)}
            item = await self._ask(
                "PATCH", f"{path}/{quote(id, safe='')}", Item, f"{kind} {id}", json=body, idempotent=True
            )
            return [_changed(updates[0], item)]
        body = {"inputs": [{"id": one.record.id, "properties": _properties(one.changes)} for one in updates]}
        try:
            written = await self._ask("POST", f"{path}/batch/update", Page[Item], json=body, idempotent=True)
        except UnknownField as unknown:
            others = [one for one in updates if unknown.field not in one.changes]
            if len(others) == len(updates):
                raise
            rest = iter(await _each(others, BATCH, partial(self._update, kind)))
            return [unknown if unknown.field in one.changes else next(rest) for one in updates]
        results = _failures(written.errors, "ids", kind)
        items = {item.id: item for item in written.results}
        return [
            _changed(one, items[id]) if id in items else results.get(id) or Unavailable(maybe_done=True)
            for one in updates
            for id in [one.record.id]
        ]

    async def _link(self, path: str, rows: Sequence[tuple[int, str, str]]) -> list[Failure | None]:
        """Makes each company that of the contact, or no longer. Repeating it changes nothing."""
        inputs: list[dict[str, Any]] = []
        for _, contact, company in rows:
            to = {"to": {"id": company}, "types": _type(1)} if path == "create" else {"to": [{"id": company}]}
            inputs.append({"from": {"id": contact}, **to})
        done = await self._ask("POST", f"{LINKS}/{path}", Done, json={"inputs": inputs}, idempotent=True)
        if done.errors:
            raise Rejected(LINK, done.errors[0].message)
        return [None] * len(rows)

    async def _add(self, object: str, contact_id: str, type: int, properties: Mapping[str, Any]) -> str:
        body = {"properties": properties, "associations": _associations(contact_id, type)}
        try:
            return (await self._ask("POST", f"{OBJECTS}/{object}", Item, f"contact {contact_id}", json=body)).id
        except Rejected as rejected:
            raise NotFound(f"contact {contact_id}") if rejected.field == LINK else rejected from None

    def _record(self, kind: Kind, item: Item, sent: Fields | None = None) -> Record:
        url = f"{self._page_url}/record/{TYPE_ID[kind]}/{item.id}" if self._page_url else None
        fields = {**_read(item.properties), **(sent or {})}
        return Record(kind=kind, id=item.id, url=url, fields=fields, version=item.updated_at)


async def _each(
    rows: Sequence[T], size: int, work: Callable[[Sequence[T]], Awaitable[list[R | Failure]]]
) -> list[R | Failure]:
    """`work` on all, `size` at a time. What is refused together is tried in halves, until it fails alone."""
    results: list[R | Failure] = []
    for part in parts(rows, size):
        try:
            results += await work(part)
        except (Rejected, Duplicate, NotFound) as failure:
            alike = len(part) == 1 or isinstance(failure, NoScope)
            results += [failure] * len(part) if alike else await _each(part, (len(part) + 1) // 2, work)
        except Failure as failure:
            if len(part) == len(rows):
                raise
            results += [failure] * len(part)
    return results


def _decoded(data: Any, type: type[T], *, maybe_done: bool) -> T:
    try:
        return msgspec.convert(data, type, strict=False)
    except msgspec.ValidationError:
        raise Unavailable(maybe_done=maybe_done) from None


def _failure(reply: Reply | None, fault: Fault, what: str) -> Failure:
    """What an answer of 400 and above says, or an error in a batch (`reply` is None)."""
    status = reply.status if reply else 0
    message = fault.message or f"HubSpot answered {status}."
    if fault.category == "RATE_LIMITS":
        return RateLimited(DAY_USED_UP if "daily" in message.lower() else WINDOW_USED_UP)
    if status in (423, 477):
        after = reply.headers.get("retry-after", "") if reply else ""
        return Unavailable(float(after) if after.isdigit() else 2.0)
    if status == 403 or fault.category == "MISSING_SCOPES":
        scopes = [str(one) for detail in fault.errors or () for one in _context(detail, "requiredGranularScopes")]
        missing = f"the scope {' or '.join(scopes)}" if scopes else "a permission for this"
        return NoScope("", f"The HubSpot app lacks {missing}. Add it to the app, then connect HubSpot again.")
    if status == 409 or fault.category == "CONFLICT":
        existing = EXISTING.search(message)
        return Duplicate(existing[1] if existing else None)
    if status == 404 or fault.category == "OBJECT_NOT_FOUND":
        return NotFound(what)
    problem = _problem(fault)
    if problem.error == "PROPERTY_DOESNT_EXIST":
        return UnknownField(problem.name, problem.message)
    name = problem.name or (LINK if "association" in message.lower() else "")
    return Rejected(name, (problem.message or message)[:500])


def _problem(fault: Fault) -> Problem:
    """The first value that is refused: under `errors`, or as JSON inside the message."""
    for detail in fault.errors or ():
        for name in _context(detail, "propertyName"):
            return Problem(str(name), str(detail.get("code", "")), str(detail.get("message", "")))
    try:
        return msgspec.json.decode(fault.message[fault.message.index("[{") :], type=list[Problem])[0]
    except (ValueError, IndexError):
        return Problem()


def _context(detail: Mapping[str, Any], name: str) -> list[Any]:
    try:
        return msgspec.convert(detail.get("context"), dict[str, list[Any]]).get(name, [])
    except msgspec.ValidationError:
        return []


def _failures(faults: Sequence[Fault], name: str, kind: Kind) -> dict[str, Record | Failure]:
    """The errors of a batch by what `name` in their context says."""
    return {
        str(one): _failure(None, fault, f"{kind} {one}")
        for fault in faults
        for one in _context({"context": fault.context}, name)
    }


def _age(item: Item) -> tuple[str, int, str]:
    return item.created_at, len(item.id), item.id


def _is_email(kind: Kind, term: Term) -> bool:
    return kind == "contact" and len(term) == 1 and not set(term) - {"email", MORE_EMAILS}


def _queries(terms: Iterable[Term]) -> Iterator[Sequence[Group]]:
    """The terms in as few searches as their limits allow, those of one field first."""
    query: Sequence[Group] = ()
    for term in sorted(_lowered(terms), key=lambda one: (len(one), sorted(one))):
        grown = _grown(query, term)
        if not _fits(grown):
            if query:
                yield query
            grown = _grown((), term)
        query = grown if _fits(grown) else ()
    if query:
        yield query


def _lowered(terms: Iterable[Term]) -> Iterator[Term]:
    """The terms with lower-case texts that a search can hold; of one field, one text each."""
    for term in terms:
        lowered = {
            name: tuple(dict.fromkeys(t.lower() for t in texts if t.strip() and len(t.encode()) < TEXT_BYTES))
            for name, texts in sorted(term.items())[:GROUP_FILTERS]
        }
        if len(lowered) == 1:
            yield from ({name: (text,)} for name, texts in lowered.items() for text in texts)
        elif lowered and all(lowered.values()):
            yield lowered


def _grown(query: Sequence[Group], term: Term) -> Sequence[Group]:
    if query:
        count, group = query[-1]
        if set(group) == set(term) and count < (BATCH if len(term) == 1 else NAMES_TOGETHER):
            merged = {name: tuple(dict.fromkeys((*texts, *term[name]))) for name, texts in group.items()}
            return (*query[:-1], (count + 1, merged))
    return (*query, (1, term))


def _fits(query: Sequence[Group]) -> bool:
    filters = sum(len(group) for _, group in query)
    return (
        len(query) <= GROUPS
        and filters <= FILTERS
        and len(msgspec.json.encode(_search_body(_filter_groups(query)))) <= BODY_BYTES
    )


def _search_body(groups: Any, sort: str = "createdate", limit: int = PAGE_SIZE, after: str = "0") -> dict[str, Any]:
    return {"filterGroups": groups, "properties": [], "sorts": [sort], "limit": limit, "after": after}


def _filter_groups(query: Sequence[Group]) -> list[dict[str, Any]]:
    return [
        {"filters": [{"propertyName": name, "operator": "IN", "values": texts} for name, texts in group.items()]}
        for _, group in query
    ]


def _properties(values: Mapping[str, Value | None]) -> dict[str, str]:
    return {name: _text(value) for name, value in values.items() if name != LINK}


def _text(value: Value | None) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list():
            return ";".join(value)
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _read(properties: Mapping[str, str | None]) -> dict[str, Value]:
    values: dict[str, Value] = {name: value for name, value in properties.items() if value}
    if more := properties.get(MORE_EMAILS):
        values[MORE_EMAILS] = [one.strip() for one in more.split(";") if one.strip()]
    for name in NUMBERS:
        if re.fullmatch(r"\d{1,15}(\.0+)?", text := properties.get(name) or ""):
            values[name] = int(float(text))
    return values


def _changed(update: Update, item: Item | None) -> Record:
    fields = {name: value for name, value in {**update.record.fields, **update.changes}.items() if value is not None}
    version = item.updated_at if item else update.record.version
    return msgspec.structs.replace(update.record, fields=fields, version=version)


def _type(id: int) -> list[dict[str, Any]]:
    return [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": id}]


def _associations(to: Value | None, type: int) -> list[dict[str, Any]]:
    return [{"to": {"id": str(to)}, "types": _type(type)}] if to else []


def _millis(time: datetime | None) -> str:
    return str(int((time or datetime.now(UTC)).timestamp() * 1000))


def _field(kind: Kind, one: Property) -> Field:
    type: Any = TYPES.get(one.type, "text")
    if one.name == MORE_EMAILS:
        type = "list"
    elif one.name in REFERENCES or one.referenced_object_type:
        type = "reference"
    elif one.field_type == "booleancheckbox":
        type = "boolean"
    elif one.type == "enumeration":
        type = "choices" if one.field_type == "checkbox" else "choice"
    fixed = one.calculated or (one.modification_metadata or {}).get("readOnlyValue")
    options = [Option(str(each.get("value")), str(each.get("label"))) for each in one.options if not each.get("hidden")]
    return Field(
        name=one.name,
        label=one.label or one.name,
        type=type,
        custom=not one.hubspot_defined,
        writable=one.name == LINK or not fixed,
        max_length=LONGEST if type == "text" else None,
        options=options if type in ("choice", "choices") else [],
    )


def _learn(headers: Mapping[str, str]) -> Lesson | None:
    if headers.get("x-hubspot-ratelimit-daily-remaining") == "0":
        return Lesson(pause=DAY_USED_UP)
    most = headers.get("x-hubspot-ratelimit-max", "")
    millis = headers.get("x-hubspot-ratelimit-interval-milliseconds", "")
    if not (most.isdigit() and millis.isdigit() and int(most) and int(millis)):
        return None
    return Lesson(quota=Quota((Window(int(most), int(millis) / 1000),)))


def _throttled(headers: Mapping[str, str], body: Any) -> float:
    """For how long a 429 grants nothing: it names its policy in the body."""
    said = cast(dict[str, Any], body) if isinstance(body, dict) else {}
    return {"DAILY": DAY_USED_UP, "SECONDLY": 1.0}.get(str(said.get("policyName")), WINDOW_USED_UP)


def _rules(pairs: str) -> tuple[Rule, ...]:
    """Of `theirs=ours`."""
    return tuple(Rule(field=theirs, from_=(ours,)) for theirs, ours in (pair.split("=") for pair in pairs.split()))


SEARCH = Vendor(name="hubspot-search", quota=Quota((Window(5, 1.0),)))
PLACE = "city=city state=region country=country hubspot_owner_id=owner"
MAPPING: Mapping[Kind, tuple[Rule, ...]] = {
    "contact": (
        Rule(field=MORE_EMAILS, from_=("other_emails",), read_only=True),
        *_rules(
            "hs_linkedin_url=linkedin_url email=email firstname=first_name lastname=last_name jobtitle=job_title "
            "seniority=seniority job_function=department phone=phone company=company_name "
            f"associatedcompanyid=company_id {PLACE}"
        ),
    ),
    "company": _rules(
        "name=name domain=domain website=website linkedin_company_page=linkedin_url numberofemployees=employee_count "
        f"founded_year=founded_year description=description phone=phone {PLACE}"
    ),
}

connector = Definition(
    name="hubspot",
    label="HubSpot",
    vendor=Vendor(name="hubspot", quota=Quota((Window(100, 10.0),)), learn=_learn, throttled=_throttled),
    api_url="https://api.hubapi.com",
    token=TokenAuth(where="HubSpot: Settings, Integrations, Private apps; or Development, Keys, Service keys."),
    oauth=OAuth(
        authorize_url="https://app.hubspot.com/oauth/authorize",
        token_url="https://api.hubapi.com/oauth/v3/token",  # noqa: S106
        scopes=(
            "oauth",
            "crm.objects.contacts.read",
            "crm.objects.contacts.write",
            "crm.objects.companies.read",
            "crm.objects.companies.write",
            "crm.objects.owners.read",
            "crm.lists.read",
            "crm.lists.write",
            "crm.schemas.contacts.write",
            "crm.schemas.companies.write",
        ),
        pkce=True,
        revoke_url="https://api.hubapi.com/oauth/v3/token/revoke",
    ),
    capabilities=(
        "contacts",
        "companies",
        "notes",
        "tasks",
        "owners",
        "lists",
        "create_lists",
        "custom_fields",
        "create_fields",
    ),
    mapping=MAPPING,
    linkedin={"contact": Field(name="linkedin_profile_url", label="LinkedIn URL", type="text", custom=True)},
    search_lag=15.0,
    batch=BATCH,
    open=HubSpot,
)
