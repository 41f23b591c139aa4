"""Zoho CRM, API v8. People are Contacts, and unconverted Leads; companies are Accounts; lists are tags.

What it relies on, under https://www.zoho.com/crm/developer/docs/api/v8/ where no other address is given:
- Records are read by COQL alone, as Zoho's search is behind its writes. It takes 500 columns and 100 values of an `in`
  (https://help.zoho.com/portal/en/community/topic/kaizen-183-coql-apis-enhancements-in-zoho-crm-api-version-7), 25
  conditions, more than two in brackets by pairs, 2,000 rows a request (COQL-Limitations.html), 200 for one credit.
  A quote in a text is doubled (https://help.zoho.com/portal/en/community/topic/kaizen-171-faqs-on-coql-api).
- 100 records a write, `If-Unmodified-Since` with 412 ALREADY_MODIFIED (insert-records.html, update-records.html); 100
  tags a module, 10 a record, 25 characters each (create-tag.html); 200 notes a page (get-notes.html).
- 5 (Free) to 25 (Ultimate) requests at a time, 5,000 credits and more in rolling 24 hours. 429 says both, without
  Retry-After; X-API-CREDITS-REMAINING comes once half is used (api-limits.html).
- Access tokens last an hour, ten are made in ten minutes
  (https://www.zoho.com/accounts/protocol/oauth/web-apps/access-token-expiry.html).

Not confirmed: that COQL compares without regard to case, what a backslash in its texts means (it is looked for by what
precedes it), how a batch answers ALREADY_MODIFIED, and the codes of used-up quotas that are not 429.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial, reduce
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import msgspec

from addtocrm.core.outgoing.client import Method
from addtocrm.core.outgoing.vendor import Lesson, Quota, Vendor
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
    Record,
    Rejected,
    Rule,
    Sought,
    Task,
    TokenAuth,
    Unavailable,
    UnknownField,
    Update,
)
from addtocrm.crm.several import parts

T = TypeVar("T")
API = "/crm/v8"
MODULES: Mapping[Kind, str] = {"contact": "Contacts", "lead": "Leads", "company": "Accounts"}
KINDS: Mapping[str, Kind] = {module: kind for kind, module in MODULES.items()}
BATCH, PAGE, MOST_CONDITIONS, MOST_VALUES, LONGEST_TEXT, TAG = 100, 200, 25, 100, 450, 25
NAMESAKES, MATCHES = 100, 2000
"""So many records are read of one name, and of all keys together."""
CREDITS_SECONDS, CONCURRENCY_SECONDS = 300.0, 5.0
REFERENCES = {"Contacts": {"Account_Name", "Owner"}, "Leads": {"Owner"}, "Accounts": {"Parent_Account", "Owner"}}
COMPANY_NAME, COMPANY_WEBSITE = "Account_Name.Account_Name", "Account_Name.Website"
SECOND_EMAIL = "Secondary_Email"
NO_NAME, ID = "-", r"\d{1,20}"
OWN = ("id", "Modified_Time", "Converted__s")
REQUIRED = {"Contacts": "Last_Name", "Leads": "Last_Name", "Accounts": "Account_Name"}
TYPES: Mapping[str, Any] = {
    **dict.fromkeys(("text", "textarea", "email", "phone", "website", "autonumber"), "text"),
    **dict.fromkeys(("integer", "bigint", "double", "currency", "percent"), "number"),
    **dict.fromkeys(("date", "datetime"), "date"),
    **dict.fromkeys(("lookup", "ownerlookup", "userlookup"), "reference"),
    "boolean": "boolean",
    "picklist": "choice",
    "multiselectpicklist": "choices",
}
MADE_AS = {"text": "text", "number": "double", "boolean": "boolean", "date": "date"}
REFUSED = ("NO_PERMISSION", "AUTHORIZATION_FAILED", "OAUTH_SCOPE_MISMATCH", "INVALID_MODULE")
QUOTA, DAY, NO_RECORD = "api|credit|concurren|request", "credit|day|24", "id given|given id|related id"
LIMITS = ("TOO_MANY_REQUESTS", "API_LIMIT_EXCEEDED", "CONCURRENCY_LIMIT_EXCEEDED")


class Item(msgspec.Struct):
    """What came of one record (or tag, field) of a request; an error of the whole request looks the same."""

    code: str
    status: str
    message: str = ""
    details: dict[str, Any] = {}


class NoColumn(Exception):
    """COQL does not know the column that is named."""


class NoPermission(Rejected):
    """The user may not do it, or not see the module."""


class Zoho:
    """The Connector of one account."""

    def __init__(self, access: Access) -> None:
        assert access.calls
        self._calls, self._page_url = access.calls, access.page_url
        self._people = (
            ["Leads", "Contacts"] if access.options.get("contact_object") == "lead" else ["Contacts", "Leads"]
        )
        self._reads = access.reads
        self._absent: dict[str, set[str]] = {module: set() for module in KINDS}
        self._known: dict[str, set[str]] = {module: set() for module in KINDS}
        self._references = {module: set(names) for module, names in REFERENCES.items()}
        self._module_of: dict[str, str] = {}

    async def info(self) -> CrmAccount:
        org = _first(await self._ask("GET", "/org"), "org")
        centre = (urlsplit(self._calls.url).hostname or "").partition("zohoapis.")[2] or "com"
        pages = f"https://crm.{'zohocloud' if centre == 'ca' else 'zoho'}.{centre}/crm/{org.get('domain_name')}"
        name = str(org.get("company_name") or "Zoho CRM")
        return CrmAccount(_text(org, "zgid"), name, pages if org.get("domain_name") else None)

    async def fields(self, kind: Kind) -> list[Field]:
        found = [_field(row) for row in await self._described(MODULES[kind]) if row.get("data_type") in TYPES]
        self._known[MODULES[kind]] |= {field.name for field in found}
        if kind == "contact" and any(field.name == "Account_Name" for field in found):
            for name, label in ((COMPANY_NAME, "Account name"), (COMPANY_WEBSITE, "Account website")):
                found.append(Field(name=name, label=label, type="text", writable=False))
        return found

    async def owners(self) -> list[Owner]:
        default = _text(_first(await self._ask("GET", "/users", params={"type": "CurrentUser"}), "users"), "id")
        rows = [row async for row in self._pages("/users", "users", {"type": "ActiveUsers"})]
        return [Owner(_text(u, "id"), u.get("email"), u.get("full_name"), u.get("id") == default) for u in rows]

    async def lists(self) -> list[CrmList]:
        """Tags by name, as Contacts and Leads have each their own of one name."""
        names: dict[str, None] = {}
        for module in self._people:
            answer = await self._ask("GET", "/settings/tags", params={"module": module})
            names |= dict.fromkeys(_text(tag, "name") for tag in _rows(answer, "tags"))
        return [CrmList(name, name) for name in names]

    async def find(self, kind: Kind, sought: Sequence[Sought]) -> list[Record]:
        found: dict[str, Record] = {}
        for module in self._modules(kind):
            rows = await self._reading(module, lambda module=module: self._matching(module, sought))
            found |= {record.id: record for record in rows}
        return sorted(found.values(), key=lambda record: (len(record.id), record.id))

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        found: dict[str, Record] = {}
        for module in self._modules(kind):
            for some in parts([id for id in ids if id not in found and re.fullmatch(ID, id)], BATCH):
                where = " ".join(_tests("id", some))
                rows = await self._reading(module, lambda m=module, w=where: self._select(m, w, BATCH))
                found |= {record.id: record for record in rows}
        return found

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        if after is not None and not re.fullmatch(ID, after):
            return []
        where = f"id > '{after}'" if after else "id is not null"
        return await self._reading(MODULES[kind], lambda: self._select(MODULES[kind], where, limit))

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        module = MODULES[kind]

        async def send(some: Sequence[Fields]) -> list[Record | Failure]:
            bodies = [{REQUIRED[module]: NO_NAME} | self._body(module, row) for row in some]
            items = await self._sent("POST", f"/{module}", bodies, module, idempotent=False)
            return [self._outcome(module, None, row, item) for row, item in zip(some, items, strict=True)]

        return await self._in_batches(module, rows, rows, send)

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        done: dict[int, Record | Failure] = {}
        groups: dict[tuple[str, bool], list[int]] = {}
        for place, one in enumerate(updates):
            guarded = one.guarded and one.record.version is not None
            groups.setdefault((MODULES[one.record.kind], guarded), []).append(place)
        for (module, guarded), places in groups.items():
            some = [updates[place] for place in places]
            send = partial(self._put, module, guarded)
            results = await self._in_batches(module, some, [one.changes for one in some], send)
            done |= dict(zip(places, results, strict=True))
        return [done[place] for place in range(len(updates))]

    async def create_field(self, kind: Kind, field: Field) -> Field:
        if field.type not in MADE_AS:
            raise Rejected("", f"A field of type {field.type} cannot be made in Zoho CRM.")
        body: dict[str, Any] = {"field_label": field.label, "data_type": MADE_AS[field.type]}
        if field.type == "text":
            body["length"] = min(field.max_length or 255, 255)
        made = (await self._setting("/settings/fields", "fields", MODULES[kind], body)).details.get("id")
        for row in await self._described(MODULES[kind]):
            if row.get("id") == made if made else row.get("field_label") == field.label:
                return _field(row)
        raise Unavailable(maybe_done=True)

    async def add_note(self, contact_id: str, text: str) -> str:
        module = await self._where(contact_id)
        note = {"Parent_Id": {"module": {"api_name": module}, "id": contact_id}, "Note_Content": text}
        return await self._added("/Notes", note, module)

    async def has_note(self, contact_id: str, text: str) -> bool:
        path = f"/{await self._where(contact_id)}/{contact_id}/Notes"
        async for note in self._pages(path, "data", {"fields": "Note_Content"}):
            if str(note.get("Note_Content") or "").strip() == text.strip():
                return True
        return False

    async def add_task(self, contact_id: str, task: Task) -> str:
        module = await self._where(contact_id)
        person = {"id": contact_id}
        body: dict[str, Any] = {"Who_Id": person} if module == "Contacts" else {"What_Id": person, "$se_module": module}
        body["Subject"] = task.title[:255]
        if task.description:
            body["Description"] = task.description
        if task.due_at:
            body["Due_Date"] = task.due_at.date().isoformat()
        if task.owner:
            body["Owner"] = {"id": task.owner}
        return await self._added("/Tasks", body, module)

    async def create_list(self, name: str) -> CrmList:
        if len(name) > TAG or re.search("[<>,]", name):
            raise Rejected("name", f"A tag of Zoho CRM has at most {TAG} characters, and no <, > or comma. Shorten it.")
        for module in self._people:
            await self._setting("/settings/tags", "tags", module, {"name": name})
        return CrmList(name, name)

    async def in_list(self, list_id: str, contact_ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for module, ids in (await self._split(contact_ids)).items():
            for some in parts(ids, BATCH):
                answer = await self._ask("GET", f"/{module}", params={"ids": ",".join(some), "fields": "Tag"})
                for row in _rows(answer, "data"):
                    names = [str(tag.get("name")).lower() for tag in _parts(row, "Tag")]
                    found |= {_text(row, "id")} if list_id.lower() in names else set()
        return found

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        for module, ids in (await self._split(contact_ids)).items():
            for some in parts(ids, BATCH):
                body = {"tags": [{"name": list_id}], "ids": list(some)}
                answer = await self._ask("POST", f"/{module}/actions/add_tags", json=body, idempotent=True)
                for item in await self._judged(answer, len(some), module):
                    if isinstance(item, Failure):
                        raise item

    # Reading.

    async def _matching(self, module: str, sought: Sequence[Sought]) -> list[Record]:
        """By all terms; where those of names bring too much, by the keys alone as well, so that names hide none."""
        terms = [term for one in sought for term in self._terms(module, one)]
        most = NAMESAKES * (len(sought) + 1)
        found: list[Record] = []
        for where in _wheres(terms):
            found += (rows := await self._select(module, where, most))
            if len(rows) >= most:
                for alone in _wheres([term for term in terms if len(term) == 1]):
                    found += await self._select(module, alone, MATCHES)
        return found

    def _named(self, module: str) -> set[str]:
        """What records are wanted with."""
        return {name for kind, of in MODULES.items() if of == module for name in self._reads[kind] if _is_name(name)}

    def _terms(self, module: str, one: Sought) -> Iterator[dict[str, list[str]]]:
        """The terms as the module has them, without those on fields that it has not."""
        usable = (self._named(module) | {SECOND_EMAIL}) - self._absent[module]
        for term in one.terms:
            short = {
                name: [text for text in texts if text and len(text) <= LONGEST_TEXT] for name, texts in term.items()
            }
            if short and usable.issuperset(short) and all(short.values()):
                yield short
                if list(short) == ["Email"] and SECOND_EMAIL in usable:
                    yield {SECOND_EMAIL: short["Email"]}

    async def _select(self, module: str, where: str, most: int) -> list[Record]:
        """Up to `most` records, the oldest first."""
        own = {"Modified_Time", "Converted__s"} if module == "Leads" else {"Modified_Time"}
        columns = (self._named(module) | own) - self._absent[module] - {"id"}
        rows: list[dict[str, Any]] = []
        more = True
        while more and len(rows) < most:
            page = f"limit {min(most - len(rows), PAGE)} offset {len(rows)}"
            query = f"select id, {', '.join(sorted(columns))} from {module} where {where} order by id asc {page}"
            answer = await self._ask("POST", "/coql", json={"select_query": query}, idempotent=True)
            rows += _rows(answer, "data")
            more = _has_more(answer)
        self._known[module] |= columns
        kept = [row for row in rows if row.get("Converted__s") is not True]
        return [self._record(module, _text(row, "id"), row, row.get("Modified_Time")) for row in kept]

    def _modules(self, kind: Kind) -> list[str]:
        return self._people if kind == "contact" else [MODULES[kind]]

    async def _reading(self, module: str, read: Callable[[], Awaitable[list[Record]]]) -> list[Record]:
        """Without columns that there are not, and without the second module of people where the user may not see it."""
        while True:
            try:
                return await read()
            except NoColumn as unknown:
                if str(unknown) in self._absent[module]:
                    raise Unavailable() from None
                self._absent[module].add(str(unknown))
            except NoPermission:
                if module != self._people[1]:
                    raise
                return []

    def _record(self, module: str, id: str, row: Mapping[str, Any], version: str | None) -> Record:
        """From a row of Zoho's, or from fields as they were sent."""
        fields: dict[str, Any] = {}
        for name, value in row.items():
            if isinstance(value, dict):
                self._references[module].add(name)
                value = _dict(value).get("id")
            if name not in OWN and value not in (None, "", []) and (name, value) != ("Last_Name", NO_NAME):
                fields[name] = value
        self._module_of[id] = module
        url = f"{self._page_url}/tab/{module}/{id}" if self._page_url else None
        return Record(kind=KINDS[module], id=id, url=url, fields=fields, version=version)

    async def _where(self, id: str) -> str:
        """The module of a contact or lead."""
        if id not in self._module_of and not await self.get("contact", [id]):
            raise NotFound(f"contact {id}")
        return self._module_of[id]

    async def _split(self, ids: Sequence[str]) -> dict[str, list[str]]:
        """The contacts and leads by module, without those that there are not."""
        await self.get("contact", [id for id in ids if id not in self._module_of])
        there = [id for id in dict.fromkeys(ids) if id in self._module_of]
        return {module: some for module in self._people if (some := [i for i in there if self._module_of[i] == module])}

    async def _described(self, module: str) -> list[dict[str, Any]]:
        rows = _rows(await self._ask("GET", "/settings/fields", params={"module": module}), "fields")
        self._known[module] |= {str(row.get("api_name")) for row in rows}
        return rows

    async def _pages(self, path: str, key: str, params: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        page = 1
        while True:
            answer = await self._ask("GET", path, params={**params, "page": str(page), "per_page": str(PAGE)})
            for row in _rows(answer, key):
                yield row
            if not _has_more(answer):
                return
            page += 1

    # Writing.

    async def _in_batches(
        self,
        module: str,
        items: Sequence[T],
        values: Sequence[Mapping[str, Any]],
        send: Callable[[Sequence[T]], Awaitable[list[Record | Failure]]],
    ) -> list[Record | Failure]:
        """Sends the items but for those whose values have an unknown field, which Zoho would drop without a word."""
        if not set().union(*values) <= self._known[module]:
            self._known[module].clear()
            await self._described(module)
        unknown = [next((name for name in row if name not in self._known[module]), None) for row in values]
        good = [item for item, name in zip(items, unknown, strict=True) if name is None]
        sent = iter([outcome for some in parts(good, BATCH) for outcome in await send(some)])
        return [UnknownField(name, "is not a field of this Zoho CRM.") if name else next(sent) for name in unknown]

    def _body(self, module: str, row: Mapping[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name, value in row.items():
            reference = name in self._references[module] and value is not None
            empty = NO_NAME if name == REQUIRED[module] else None
            body[name] = {"id": value} if reference else empty if value is None else value
        return body

    async def _put(self, module: str, guarded: bool, updates: Sequence[Update]) -> list[Record | Failure]:
        """A batch has one time for all its records: the newest version, which every later change exceeds."""
        bodies = [{"id": one.record.id} | self._body(module, one.changes) for one in updates]
        headers = {"if-unmodified-since": max((str(u.record.version) for u in updates), key=_time)} if guarded else {}
        path = f"/{module}/{updates[0].record.id}" if len(updates) == 1 else f"/{module}"
        items = await self._sent("PUT", path, bodies, module, headers=headers)
        if len(updates) > 1 and all(isinstance(item, Changed) for item in items):
            return [(await self._put(module, guarded, [one]))[0] for one in updates]
        return [
            self._outcome(module, one.record.id, {**one.record.fields, **one.changes}, item)
            for one, item in zip(updates, items, strict=True)
        ]

    def _outcome(self, module: str, id: str | None, row: Mapping[str, Any], item: Item | Failure) -> Record | Failure:
        if isinstance(item, Failure):
            return item
        try:
            return self._record(module, id or _id(item), row, item.details.get("Modified_Time"))
        except Unavailable as failure:
            return failure

    async def _sent(
        self, method: Method, path: str, bodies: list[dict[str, Any]], module: str, **call: Any
    ) -> list[Item | Failure]:
        """What came of each record; a failure of the whole is that of each."""
        try:
            return await self._judged(await self._ask(method, path, json={"data": bodies}, **call), len(bodies), module)
        except Failure as failure:
            return [failure] * len(bodies)

    async def _judged(self, answer: Mapping[str, Any] | None, count: int, module: str) -> list[Item | Failure]:
        items = _items(answer, "data", changing=True)
        if len(items) == 1 < count and items[0].status != "success":
            raise await self._failure(items[0], module)
        if len(items) != count:
            raise Unavailable(maybe_done=True)
        return [item if item.status == "success" else await self._failure(item, module) for item in items]

    async def _added(self, path: str, body: dict[str, Any], module: str) -> str:
        (item,) = await self._sent("POST", path, [body], module, idempotent=False)
        if isinstance(item, Failure):
            raise item
        return _id(item)

    async def _setting(self, path: str, key: str, module: str, body: dict[str, Any]) -> Item:
        """Makes a field or a tag; there may be one already."""
        call = {"params": {"module": module}, "json": {key: [body]}, "idempotent": True}
        (item, *_) = _items(await self._ask("POST", path, **call), key)
        if item.code not in ("SUCCESS", "DUPLICATE_DATA"):
            raise await self._failure(item, module)
        return item

    async def _ask(self, method: Method, path: str, **call: Any) -> dict[str, Any] | None:
        """The answer, None where there is nothing. Raises what failed as a whole."""
        reply = await self._calls.ask(method, API + path, **call)
        if reply.data is None and reply.status in (204, 304):
            return None
        data = _dict(reply.data)
        if data.get("status") != "error":
            if reply.status >= 400 and not any(isinstance(value, list) for value in data.values()):
                raise Unavailable()
            return data
        (item,) = _items({"all": [data]}, "all")
        if item.code == "ALREADY_MODIFIED":
            return {"data": [data] * len(call["json"]["data"])}
        column = str(item.details.get("column_name"))
        if path == "/coql" and item.code == "INVALID_QUERY" and _is_name(column):
            raise NoColumn(column)
        raise await self._failure(item, path)

    async def _failure(self, item: Item, module: str) -> Failure:
        details, field = item.details, str(item.details.get("api_name") or "")
        if item.code == "MULTIPLE_OR_MULTI_ERRORS":
            errors = _items(details, "errors")
            return await self._failure(min(errors, key=lambda one: one.code != "DUPLICATE_DATA"), module)
        if item.code in LIMITS or (item.code == "LIMIT_EXCEEDED" and re.search(QUOTA, item.message, re.I)):
            of_a_day = re.search(DAY, item.message, re.I)
            return await self._calls.limited(CREDITS_SECONDS if of_a_day else CONCURRENCY_SECONDS)
        if item.code == "DUPLICATE_DATA":
            there = _dict(details.get("duplicate_record"))
            id = there.get("id") or details.get("id")
            kind = KINDS.get(str(_dict(there.get("module")).get("api_name")), KINDS.get(module, "contact"))
            return Duplicate(str(id) if id else None, kind)
        if item.code == "ALREADY_MODIFIED":
            return Changed()
        if item.code == "INVALID_DATA" and field in ("", "id") and re.search(NO_RECORD, item.message):
            return NotFound(f"{KINDS.get(module, 'contact')} {details.get('id', '')}".strip())
        if item.code == "INTERNAL_ERROR":
            return Unavailable(maybe_done=True)
        if item.code in REFUSED:
            wanted = ", ".join(map(str, details.get("permissions") or [])) or "this module or action"
            return NoPermission("", f"The Zoho CRM user has no permission for {wanted}. Ask the administrator for it.")
        return Rejected(field, _reason(item))


def _reason(item: Item) -> str:
    if item.code == "MANDATORY_NOT_FOUND":
        return "is required by Zoho CRM."
    more = {name: item.details.get(name) for name in ("maximum_length", "expected_data_type", "supported_values")}
    said = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in more.items() if value is not None)
    return f"Zoho CRM says: {item.message or item.code}" + (f" ({said})" if said else "")


def _field(row: Mapping[str, Any]) -> Field:
    operations = _dict(row.get("operation_type"))
    closed = row.get("read_only") or row.get("field_read_only") or not operations.get("api_update", True)
    kind = TYPES.get(str(row.get("data_type")), "text")
    options = [
        Option(_text(one, "actual_value"), str(one.get("display_value"))) for one in _parts(row, "pick_list_values")
    ]
    return Field(
        name=_text(row, "api_name"),
        label=str(row.get("field_label")),
        type=kind,
        custom=row.get("custom_field") is True,
        writable=not closed,
        form="single" if row.get("data_type") in ("email", "phone") else None,
        max_length=row["length"] if kind == "text" and isinstance(row.get("length"), int) else None,
        options=[option for option in options if option.value != "-None-"],
    )


def _wheres(terms: Sequence[Mapping[str, list[str]]]) -> Iterator[str]:
    """The terms in as few queries as may be. Those on the same fields are put together, so more may be found."""
    merged: dict[tuple[str, ...], list[dict[str, list[str]]]] = {}
    for term in terms:
        parts = merged.setdefault(tuple(sorted(term)), [])
        if not parts or any(len({*parts[-1][name], *texts}) > MOST_VALUES for name, texts in term.items()):
            parts.append({name: [] for name in term})
        for name, texts in term.items():
            parts[-1][name] += [text for text in dict.fromkeys(texts[:MOST_VALUES]) if text not in parts[-1][name]]
    queries: list[tuple[int, list[str]]] = [(0, [])]
    for part in (part for parts in merged.values() for part in parts):
        tests = [_tests(name, texts) for name, texts in part.items()]
        size = sum(map(len, tests))
        if not all(tests) or size > MOST_CONDITIONS:
            continue
        if queries[-1][0] + size > MOST_CONDITIONS:
            queries.append((0, []))
        whole = _paired([_paired(some, "or") for some in tests], "and")
        queries[-1] = (queries[-1][0] + size, [*queries[-1][1], whole])
    return (_paired(tests, "or") for _, tests in queries if tests)


def _tests(name: str, texts: Sequence[str]) -> list[str]:
    """The conditions in COQL of which one holds; none where nothing can be looked for."""
    plain = [text for text in texts if "\\" not in text]
    begun = dict.fromkeys(text.partition("\\")[0] for text in texts if "\\" in text)
    alike = [f"{name} like {_quoted(begin + '%')}" for begin in begun if begin]
    return [*([f"{name} in ({', '.join(map(_quoted, plain))})"] if plain else []), *alike]


def _quoted(text: str) -> str:
    clean = re.sub(r"[\x00-\x1f\x7f]", " ", text)
    return "'" + clean.replace("'", "''") + "'"


def _paired(tests: Sequence[str], word: str) -> str:
    return reduce(lambda left, right: f"({left} {word} {right})", tests)


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and re.fullmatch(r"\w+(\.\w+)*", name) is not None


def _dict(value: Any) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _rows(answer: Mapping[str, Any] | None, key: str) -> list[dict[str, Any]]:
    try:
        return [] if answer is None else msgspec.convert(answer.get(key), list[dict[str, Any]])
    except msgspec.ValidationError:
        raise Unavailable() from None


def _parts(row: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    return _rows(row, key) if row.get(key) else []


def _has_more(answer: Mapping[str, Any] | None) -> bool:
    return _dict((answer or {}).get("info")).get("more_records") is True


def _first(answer: Mapping[str, Any] | None, key: str) -> dict[str, Any]:
    rows = _rows(answer, key)
    return rows[0] if rows else {}


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if not isinstance(value, str) or not value:
        raise Unavailable()
    return value


def _items(answer: Mapping[str, Any] | None, key: str, *, changing: bool = False) -> list[Item]:
    try:
        items = msgspec.convert((answer or {}).get(key), list[Item])
    except msgspec.ValidationError:
        raise Unavailable(maybe_done=changing) from None
    if not items and not changing:
        raise Unavailable()
    return items


def _id(item: Item) -> str:
    id = item.details.get("id")
    if not isinstance(id, str):
        raise Unavailable(maybe_done=True)
    return id


def _time(version: str) -> float:
    try:
        return datetime.fromisoformat(version).timestamp()
    except ValueError:
        raise Unavailable() from None


def _learn(headers: Mapping[str, str]) -> Lesson | None:
    return Lesson(pause=CREDITS_SECONDS) if headers.get("x-api-credits-remaining", "").strip() == "0" else None


def _is_forbidden(body: Any) -> bool:
    return _dict(body).get("code") == "OAUTH_SCOPE_MISMATCH"


def _linkedin(kind: Kind) -> Field:
    return Field(name="LinkedIn_URL", label="LinkedIn URL", type="text", custom=True, max_length=255)


def _rules(**fields: str) -> tuple[Rule, ...]:
    return tuple(Rule(field=field, from_=tuple(ours.split())) for field, ours in fields.items())


PERSON = {
    "LinkedIn_URL": "linkedin_url",
    "Email": "email",
    "Secondary_Email": "other_emails",
    "First_Name": "first_name",
    "Last_Name": "last_name",
    "Phone": "phone",
    "Owner": "owner",
}
CENTRES = ("com", "eu", "in", "com.au", "com.cn", "jp", "ca", "sa", "uk", "ae")

connector = Definition(
    name="zoho",
    label="Zoho CRM",
    vendor=Vendor(name="zoho", quota=Quota(concurrency=5), learn=_learn),
    api_url="https://www.zohoapis.com",
    hosts=(
        *(f".zohoapis.{centre}" for centre in CENTRES),
        *(f"accounts.zoho.{centre}" for centre in CENTRES),
        "accounts.zohocloud.ca",
    ),
    token=TokenAuth(
        where="API Console (https://api-console.zoho.com) → Self Client → Generate Code",
        scheme="Zoho-oauthtoken",
        grant="authorization_code",
    ),
    oauth=OAuth(
        authorize_url="https://accounts.zoho.com/oauth/v2/auth",
        token_url="https://accounts.zoho.com/oauth/v2/token",  # noqa: S106
        scopes=(
            *(
                f"ZohoCRM.modules.{m}.{w}"
                for m in ("contacts", "leads", "accounts")
                for w in ("READ", "CREATE", "UPDATE")
            ),
            *(f"ZohoCRM.modules.{m}.{w}" for m in ("notes", "tasks") for w in ("READ", "CREATE")),
            *("ZohoCRM.coql.READ", "ZohoCRM.settings.fields.READ", "ZohoCRM.settings.fields.CREATE"),
            *("ZohoCRM.settings.tags.READ", "ZohoCRM.settings.tags.CREATE", "ZohoCRM.users.READ", "ZohoCRM.org.READ"),
        ),
        separator=",",
        scheme="Zoho-oauthtoken",
        extra={"access_type": "offline", "prompt": "consent"},
        api_key="api_domain",
        auth_key="accounts-server",
        revoke_url="https://accounts.zoho.com/oauth/v2/token/revoke",
    ),
    capabilities=(
        *("contacts", "companies", "notes", "tasks", "owners", "lists"),
        *("create_lists", "custom_fields", "create_fields"),
    ),
    mapping={
        "contact": (
            *_rules(**PERSON, Title="job_title", Department="department", Other_Phone="other_phones"),
            *_rules(Mailing_City="city", Mailing_State="region", Mailing_Country="country", Account_Name="company_id"),
            Rule(field=COMPANY_NAME, from_=("company_name",), read_only=True),
            Rule(field=COMPANY_WEBSITE, from_=("company_domain",), read_only=True),
        ),
        "lead": _rules(
            **PERSON,
            Designation="job_title",
            City="city",
            State="region",
            Country="country",
            Company="company_name",
            Website="company_domain",
        ),
        "company": _rules(
            LinkedIn_URL="linkedin_url",
            Account_Name="name",
            Website="domain website",
            Employees="employee_count",
            Description="description",
            Phone="phone",
            Billing_City="city",
            Billing_State="region",
            Billing_Country="country",
            Owner="owner",
        ),
    },
    linkedin={kind: _linkedin(kind) for kind in MODULES},
    options={"contact_object": ("contact", "lead")},
    forbids=_is_forbidden,
    batch=BATCH,
    open=Zoho,
)
