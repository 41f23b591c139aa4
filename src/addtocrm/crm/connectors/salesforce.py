"""Salesforce: its REST API, with SOQL to find and read, and collections and composite requests to write together.

What is relied on, and where Salesforce says so (`D` is https://developer.salesforce.com/docs):
- Version 66.0 (Spring '26) is supported for 3 years at least: D/platform/connect-rest-api/guide/intro_api_eol.html
- Collections take 200 rows, a row fails alone: D/atlas.en-us.224.0.api_rest.meta/api_rest/resources_composite_sobjects_collections_create.htm
- A composite request is one call for the quota, with 25 subrequests, of which 5 are queries; a subrequest takes any
  header but Accept, Authorization, Content-Type: D/atlas.en-us.262.0.api_rest.meta/api_rest/resources_composite_composite_post.htm
- `If-Unmodified-Since` on a PATCH, else 412: D/atlas.en-us.api_rest.meta/api_rest/intro_rest_conditional_requests.htm;
  it tells seconds apart, and is compared to the last change (the body of a 412 is not documented).
- A SOQL statement holds 100,000 characters, a text in it 4,000:
  D/atlas.en-us.salesforce_app_limits_cheatsheet.meta/salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_soslsoql.htm;
  an address 16,384 bytes, so a query goes into a composite request: https://help.salesforce.com/s/articleView?id=000386264
- Escapes: D/atlas.en-us.254.0.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_quotedstringescapes.htm
- A daily quota per org (REQUEST_LIMIT_EXCEEDED), and 25 requests longer than 20 s at a time, 5 in a trial org:
  D/platform/salesforce-app-limits-cheatsheet/guide/salesforce-app-limits-platform-api.html
- Notes: D/atlas.en-us.api.meta/api/sforce_api_objects_contentnote.htm. Their text cannot be read as JSON, only their title.
Not confirmed: that an unknown field in a collection refuses the whole request (both forms are understood).
"""

import asyncio
import base64
import hashlib
import html
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from email.utils import format_datetime
from typing import Any, NamedTuple, NoReturn, TypeAlias, TypeGuard, TypeVar, cast
from urllib.parse import quote

import msgspec

from addtocrm.core import times
from addtocrm.core.outgoing.client import Method, Reply
from addtocrm.core.outgoing.vendor import Quota, Vendor
from addtocrm.crm.contract import (
    Access,
    Changed,
    Changes,
    CrmAccount,
    CrmList,
    Definition,
    Duplicate,
    Expired,
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
    Term,
    TokenAuth,
    Unavailable,
    UnknownField,
    Update,
)

T = TypeVar("T")
API = "/services/data/v66.0"
OBJECTS: dict[Kind, str] = {"contact": "Contact", "lead": "Lead", "company": "Account"}
KINDS: dict[str, Kind] = {"003": "contact", "00Q": "lead", "001": "company"}
"""By the beginning of an id."""
UNKNOWN = "[not provided]"
"""What a field holds that must not be empty, and of which nothing is known; read as empty."""
REQUIRED = {"Contact": ("LastName",), "Lead": ("LastName", "Company"), "Account": ("Name",)}
OF_LEAD = {
    "Account.Name": "Company",
    "Account.Website": "Website",
    "MailingCity": "City",
    "MailingState": "State",
    "MailingCountry": "Country",
}
OF_CONTACT = {lead: contact for contact, lead in OF_LEAD.items()}
ONLY_CONTACT = ("AccountId", "Department")
TYPES = {
    "boolean": "boolean", "date": "date", "picklist": "choice", "combobox": "text", "multipicklist": "choices",
    "reference": "reference", "int": "number", "long": "number", "double": "number", "currency": "number",
    "percent": "number", "string": "text", "textarea": "text", "email": "text", "phone": "text", "url": "text",
}  # fmt: skip
ESCAPES = {"\\": r"\\", "'": r"\'", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\b": r"\b", "\f": r"\f"}
STARTS = ("", "www.", "http://", "https://", "http://www.", "https://www.")
LONGEST_SOQL = 20_000
LOCK_WAITS = (0.2, 0.5, 1.5)
DAILY_SECONDS, CONCURRENT_SECONDS = 900.0, 5.0
"""The daily quota is of the last 24 hours, so that some of it comes back all the time."""
GONE = ("ENTITY_IS_DELETED", "NOT_FOUND", "CANNOT_UPDATE_CONVERTED_LEAD")
FORBIDDEN = (
    "INSUFFICIENT_ACCESS_OR_READONLY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "INSUFFICIENT_ACCESS",
    "INVALID_TYPE", "API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "FUNCTIONALITY_NOT_ENABLED",
)  # fmt: skip


class Match(msgspec.Struct, rename="camel"):
    record: dict[str, Any] = {}


class MatchResult(msgspec.Struct, rename="camel"):
    match_records: list[Match] = []


class Matches(msgspec.Struct, rename="camel"):
    match_results: list[MatchResult] = []


class Problem(msgspec.Struct, rename="camel"):
    """What Salesforce says is wrong; the code has one name in collections and another elsewhere."""

    message: str = ""
    status_code: str = ""
    error_code: str = ""
    fields: list[str] | None = None
    duplicate_result: Matches | None = None
    duplicate_resut: Matches | None = None

    @property
    def code(self) -> str:
        return self.status_code or self.error_code


class Saved(msgspec.Struct):
    id: str | None = None
    success: bool = False
    errors: list[Problem] = []


class Answer(msgspec.Struct, rename="camel"):
    http_status_code: int
    body: Any = None


class Answers(msgspec.Struct, rename="camel"):
    composite_response: list[Answer]


class Page(msgspec.Struct, rename="camel"):
    records: list[dict[str, Any]]
    next_records_url: str | None = None


class Picked(msgspec.Struct):
    value: str | None = None
    label: str | None = None
    active: bool = True


class Described(msgspec.Struct, rename="camel"):
    name: str
    type: str
    label: str = ""
    length: int = 0
    custom: bool = False
    createable: bool = False
    updateable: bool = False
    filterable: bool = True
    relationship_name: str | None = None
    picklist_values: list[Picked] = []


class DescribedObject(msgspec.Struct):
    fields: list[Described]


class Query(NamedTuple):
    name: str
    fields: tuple[str, ...]
    terms: tuple[Term, ...] = ()
    also: str = ""
    end: str = ""


Outcome: TypeAlias = str | Problem | Failure
"""Of one row: its id, or what is wrong."""
LOCKED = Problem(status_code="UNABLE_TO_LOCK_ROW", message="The record is locked.")


class Salesforce:
    def __init__(self, access: Access) -> None:
        assert access.calls
        self._calls = access.calls
        self._reads = access.reads
        self._pages = access.page_url or access.calls.url
        self._described: dict[str, list[Described]] = {}

    async def info(self) -> CrmAccount:
        rows = await self._rows([Query("Organization", ("Id", "Name"), end=" LIMIT 1")])
        if not rows:
            raise Unavailable
        return CrmAccount(str(rows[0]["Id"]), str(rows[0]["Name"]), self._calls.url)

    async def fields(self, kind: Kind) -> list[Field]:
        described = {one.name: one for one in await self._describe(OBJECTS[kind])}
        found = [_field(kind, one, described.get(f"{name}Code")) for name, one in described.items()]
        linked = [Field(name=rule.field, label=rule.field.replace(".", " "), type="text", writable=False,
                        maps_to=rule.from_[0]) for rule in MAPPING[kind] if "." in rule.field]  # fmt: skip
        return [one for one in found if one] + linked

    async def owners(self) -> list[Owner]:
        only: Term = {"UserType": ("Standard",)}
        users = Query("User", ("Id", "Email", "Name"), (only,), "IsActive = true AND ", " ORDER BY Id LIMIT 2000")
        root = await self._ask("GET", f"{API}/")
        me = str(cast(dict[str, Any], root.data).get("identity")).rpartition("/")[2] if _is_map(root.data) else ""
        return [
            Owner(str(row["Id"]), row.get("Email"), row.get("Name"), str(row["Id"])[:15] == me[:15])
            for row in await self._rows([users])
        ]

    async def find(self, kind: Kind, sought: Sequence[Sought]) -> list[Record]:
        terms = [term for one in sought for term in one.terms]
        queries: list[Query] = []
        for one in ("company",) if kind == "company" else ("contact", "lead"):
            queries += self._searches(one, _joined(self._understood(kind, one, terms)))
        rows = await self._rows(queries, optional="Lead" if kind == "contact" else "Contact")
        rows.sort(key=lambda row: (str(row.get("CreatedDate")), str(row["Id"])))
        return list({record.id: record for record in map(self._record, rows)}.values())

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        kinds = ("company",) if kind == "company" else ("contact", "lead")
        asked = {id[:15]: id for id in ids if KINDS.get(id[:3]) in kinds and re.fullmatch(r"\w{15}(\w{3})?", id, re.A)}
        queries: list[Query] = []
        for one in kinds:
            own = tuple(id for id in asked if KINDS[id[:3]] == one)
            queries += self._searches(one, [{"Id": part} for part in _parts(own, 200)])
        found = [self._record(row) for row in await self._rows(queries)]
        return {asked[record.id[:15]]: record for record in found if record.id[:15] in asked}

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        beyond = f"Id > {_text(after)}" if after else "Id != null"
        only = f"{beyond}{' AND IsConverted = false' if kind == 'lead' else ''}"
        query = Query(OBJECTS[kind], self._wanted(kind), also=only, end=f" ORDER BY Id LIMIT {limit}")
        return [self._record(row) for row in await self._rows([query])]

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        name = OBJECTS[kind]
        full = [{**dict.fromkeys(REQUIRED[name], UNKNOWN), **_sent(row)} for row in rows]
        return [
            Record(kind=kind, id=one, url=self._url(name, one), fields=dict(row)) if isinstance(one, str) else one
            for row, one in zip(rows, await self._insert(name, full), strict=True)
        ]

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        bodies = [_emptied(OBJECTS[one.record.kind], one.changes) for one in updates]

        async def once(part: Sequence[int]) -> list[Outcome]:
            if len(part) == 1:
                sub = self._patch(updates[part[0]], bodies[part[0]])
                headers = sub.get("httpHeaders", {})
                reply = await self._ask("PATCH", sub["url"], json=sub["body"], headers=headers, idempotent=True)
                return [_changed(reply.status, reply.data)]
            done: list[Outcome] = []
            for some in _parts(part, 25):
                subs = [self._patch(updates[i], bodies[i]) for i in some]
                answers = await self._composite(subs, idempotent=True)
                done += [_changed(one.http_status_code, one.body) for one in answers]
            return done

        outcomes = await _unlocked(len(updates), once)
        return [
            _updated(one) if isinstance(done, str) else _failure(done, one.record)
            for one, done in zip(updates, outcomes, strict=True)
        ]

    async def add_note(self, contact_id: str, text: str) -> str:
        body = "".join(f"<p>{html.escape(line, quote=False) or '<br>'}</p>" for line in text.splitlines())
        note = {"Title": _title(text), "Content": base64.b64encode(body.encode()).decode()}
        link = {"ContentDocumentId": "@{note.id}", "LinkedEntityId": contact_id, "ShareType": "I"}
        subs = [_sub("POST", "/sobjects/ContentNote", "note", note),
                _sub("POST", "/sobjects/ContentDocumentLink", "link", link)]  # fmt: skip
        answers = await self._composite(subs, all_or_none=True)
        problems = [_problem(one.body) for one in answers if one.http_status_code >= 300]
        for problem in problems:
            if problem.code != "PROCESSING_HALTED":
                raise _failure(problem, about={"LinkedEntityId": f"contact {contact_id}"})
        return _shaped(Saved, answers[0].body).id or _lost()

    async def has_note(self, contact_id: str, text: str) -> bool:
        term: Term = {
            "LinkedEntityId": (contact_id,),
            "ContentDocument.FileType": ("SNOTE",),
            "ContentDocument.Title": (_title(text),),
        }
        return bool(await self._rows([Query("ContentDocumentLink", ("Id",), (term,), end=" LIMIT 1")]))

    async def add_task(self, contact_id: str, task: Task) -> str:
        given = {
            "Subject": task.title,
            "Description": task.description,
            "ActivityDate": task.due_at and task.due_at.date().isoformat(),
            "OwnerId": task.owner,
            "WhoId": contact_id,
        }
        [made] = await self._insert("Task", [{name: value for name, value in given.items() if value}],
                                    {"WhoId": f"contact {contact_id}"})  # fmt: skip
        return _made(made)

    async def lists(self) -> list[CrmList]:
        rows = await self._rows([Query("Campaign", ("Id", "Name"), end=" ORDER BY Name, Id LIMIT 2000")])
        return [CrmList(str(row["Id"]), str(row.get("Name"))) for row in rows]

    async def create_list(self, name: str) -> CrmList:
        [made] = await self._insert("Campaign", [{"Name": name, "IsActive": True}])
        return CrmList(_made(made), name)

    async def in_list(self, list_id: str, contact_ids: Sequence[str]) -> set[str]:
        queries = [
            Query("CampaignMember", ("Id", field), ({"CampaignId": (list_id,), field: tuple(part)},))
            for field, prefix in (("ContactId", "003"), ("LeadId", "00Q"))
            for part in _parts([id for id in contact_ids if id.startswith(prefix)], 200)
        ]
        on = {str(row.get("ContactId") or row.get("LeadId"))[:15] for row in await self._rows(queries)}
        return {id for id in contact_ids if id[:15] in on}

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        rows = [
            {"CampaignId": list_id, "LeadId" if id.startswith("00Q") else "ContactId": id}
            for id in dict.fromkeys(contact_ids)
        ]
        about = {"CampaignId": f"list {list_id}", "ContactId": "contact", "LeadId": "contact"}
        for one in await self._insert("CampaignMember", rows, about):
            if isinstance(one, Failure) and not isinstance(one, Duplicate):
                raise one

    # What is asked.

    def _searches(self, kind: Kind, terms: Sequence[Term]) -> list[Query]:
        """Queries for `terms`; those of keys apart from those of names, which may find very many."""
        also = "IsConverted = false AND " if kind == "lead" else ""
        found: list[Query] = []
        for several in (False, True):
            some = [term for term in terms if (len(term) > 1) is several]
            limit = min(2000, 100 * max(1, len(some))) if several else 2000
            end = f" ORDER BY CreatedDate, Id LIMIT {limit}"
            found += [
                Query(OBJECTS[kind], self._wanted(kind), part, also, end)
                for part in _parts(some, LONGEST_SOQL, lambda term: len(quote(_condition(term))))
            ]
        return found

    def _wanted(self, kind: Kind) -> tuple[str, ...]:
        standard = {rule.field for rule in MAPPING[kind] if not rule.field.endswith("__c")}
        return ("Id", "CreatedDate", "SystemModstamp", *sorted(standard | set(self._reads.get(kind, ()))))

    def _understood(self, asked: Kind, kind: Kind, terms: Iterable[Term]) -> list[Term]:
        """The terms as `kind` has their fields, without those on a field that it has not."""
        names = OF_LEAD if kind == "lead" else OF_CONTACT if kind == "contact" else {}
        absent = ONLY_CONTACT if kind == "lead" else ()
        own = self._reads.get(kind, set[str]())
        others = set[str]().union(*(fields for other, fields in self._reads.items() if other != kind))

        def has(field: str) -> bool:
            if field.endswith("__c"):
                return field in own or (kind == asked and field not in others)
            return field not in absent

        renamed = [{names.get(field, field): texts for field, texts in term.items()} for term in terms]
        return [term for term in renamed if all(map(has, term))]

    async def _rows(self, queries: Sequence[Query], *, optional: str = "", again: bool = True) -> list[dict[str, Any]]:
        """The rows of all queries; a field that is not there (any more) is left out of them."""
        rows: list[dict[str, Any]] = []
        refused: list[Query] = []
        for part in _parts(queries, 5):
            subs = [_sub("GET", f"/query?q={quote(_soql(one), safe='')}", f"q{i}") for i, one in enumerate(part)]
            answers = await self._composite(subs, idempotent=True)
            for query, answer in zip(part, answers, strict=True):
                if answer.http_status_code == 200:
                    rows += await self._all(_shaped(Page, answer.body))
                elif (problem := _problem(answer.body)).code == "INVALID_FIELD" and again:
                    refused.append(query)
                elif problem.code != "INVALID_TYPE" or query.name != optional:
                    raise _failure(problem)
        kept = [await self._without_unknown(query) for query in refused]
        return rows + (await self._rows([one for one in kept if one], optional=optional, again=False) if kept else [])

    async def _all(self, page: Page) -> list[dict[str, Any]]:
        rows = page.records
        while page.next_records_url:
            if not page.next_records_url.startswith("/services/data/"):
                raise Unavailable
            page = _shaped(Page, (await self._ask("GET", page.next_records_url)).data)
            rows = rows + page.records
        if not all(isinstance(row.get("Id"), str) for row in rows):
            raise Unavailable
        return rows

    async def _without_unknown(self, query: Query) -> Query | None:
        described = await self._describe(query.name)
        known = {one.name for one in described} | {one.relationship_name for one in described}
        filtered = known - {one.name for one in described if not one.filterable}
        fields = tuple(field for field in query.fields if field.partition(".")[0] in known)
        terms = tuple(term for term in query.terms if all(field.partition(".")[0] in filtered for field in term))
        return query._replace(fields=fields, terms=terms) if terms or not query.terms else None

    async def _describe(self, name: str) -> list[Described]:
        if name not in self._described:
            reply = await self._ask("GET", f"{API}/sobjects/{name}/describe")
            if reply.status != 200:
                raise _failure(_problem(reply.data), forbidden=name)
            self._described[name] = _shaped(DescribedObject, reply.data).fields
        return self._described[name]

    # What is written.

    async def _insert(
        self, name: str, rows: Sequence[dict[str, Any]], about: dict[str, str] | None = None
    ) -> list[str | Failure]:
        """The id of each new row, or why there is none."""

        async def alone(row: dict[str, Any]) -> str | Problem:
            reply = await self._ask("POST", f"{API}/sobjects/{name}", json=row)
            return _shaped(Saved, reply.data).id or _lost() if reply.status == 201 else _problem(reply.data)

        async def once(part: Sequence[int]) -> list[Outcome]:
            if len(part) == 1:
                return [await alone(rows[part[0]])]
            records = [{"attributes": {"type": name}, **rows[i]} for i in part]
            done = await self._collection(records)
            for at, one in enumerate(done):
                # Only a request for this row alone says which record is like it.
                if isinstance(one, Problem) and one.code == "DUPLICATES_DETECTED":
                    done[at] = await _caught(alone(rows[part[at]]))
            return done

        outcomes = await _unlocked(len(rows), once)
        return [one if isinstance(one, str) else _failure(one, about=about, forbidden=name) for one in outcomes]

    async def _collection(self, records: list[dict[str, Any]]) -> list[Outcome]:
        """What becomes of each. A request that is refused for one of its rows is sent again without it."""
        if not records:
            return []
        body = {"allOrNone": False, "records": records}
        reply = await self._ask("POST", f"{API}/composite/sobjects", json=body)
        if reply.status == 200:
            saved = _shaped(list[Saved], reply.data)
            if len(saved) != len(records):
                raise Unavailable(maybe_done=True)
            return [one.id if one.success and one.id else one.errors[0] if one.errors else LOCKED for one in saved]
        problem = _problem(reply.data)
        if reply.status != 400:
            raise _failure(problem)
        if len(records) == 1:
            return [problem]
        unknown = _unknown_field(problem)
        guilty = [unknown in record for record in records] if unknown else []
        if not any(guilty):
            half = len(records) // 2
            return await self._collection(records[:half]) + await self._collection(records[half:])
        rest = [record for record, bad in zip(records, guilty, strict=True) if not bad]
        done = iter(await self._collection(rest))
        return [problem if bad else next(done) for bad in guilty]

    def _patch(self, update: Update, body: dict[str, Any]) -> dict[str, Any]:
        record = update.record
        sub = _sub("PATCH", f"/sobjects/{OBJECTS[record.kind]}/{quote(record.id, safe='')}", f"r{record.id[:15]}", body)
        if update.guarded and record.version:
            sub["httpHeaders"] = {"If-Unmodified-Since": format_datetime(times.parse(record.version), usegmt=True)}
        return sub

    async def _composite(
        self, subs: list[dict[str, Any]], *, all_or_none: bool = False, idempotent: bool = False
    ) -> list[Answer]:
        body = {"allOrNone": all_or_none, "compositeRequest": subs}
        reply = await self._ask("POST", f"{API}/composite", json=body, idempotent=idempotent)
        if reply.status != 200:
            raise _failure(_problem(reply.data))
        answers = _shaped(Answers, reply.data).composite_response
        if len(answers) != len(subs):
            raise Unavailable(maybe_done=True)
        return answers

    async def _ask(self, method: Method, path: str, **call: Any) -> Reply:
        reply = await self._calls.ask(method, path, **call)
        if reply.status == 403:
            problem = _problem(reply.data)
            if problem.code == "REQUEST_LIMIT_EXCEEDED":
                concurrent = "concurrent" in problem.message.lower()
                raise await self._calls.limited(CONCURRENT_SECONDS if concurrent else DAILY_SECONDS)
            if problem.code == "INVALID_SESSION_ID":
                raise Expired
        return reply

    def _record(self, row: dict[str, Any]) -> Record:
        id = str(row["Id"])
        kind = KINDS.get(id[:3], "contact")
        flat = {
            f"{name}.{inner}" if inner else name: value
            for name, held in row.items()
            for inner, value in (cast(dict[str, Any], held).items() if _is_map(held) else [("", held)])
        }
        fields = {
            name: value
            for name, value in flat.items()
            if not name.startswith("attributes")
            and isinstance(value, str | int | float | bool)
            and value not in ("", UNKNOWN)
        }
        return Record(
            kind=kind, id=id, url=self._url(OBJECTS[kind], id), fields=fields, version=row.get("SystemModstamp")
        )

    def _url(self, name: str, id: str) -> str:
        return f"{self._pages}/lightning/r/{name}/{id}/view"


# What is sent.


def _sub(method: Method, path: str, reference: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    sub: dict[str, Any] = {"method": method, "url": API + path, "referenceId": reference}
    return {**sub, "body": body} if body is not None else sub


def _sent(changes: Changes) -> dict[str, Any]:
    return {name: ";".join(value) if isinstance(value, list) else value for name, value in changes.items()}


def _emptied(name: str, changes: Changes) -> dict[str, Any]:
    """As `_sent`, where what must not be empty is unknown."""
    body = _sent(changes)
    return body | {field: UNKNOWN for field in REQUIRED[name] if field in body and body[field] in (None, "")}


def _title(text: str) -> str:
    """A note's title, by which just this text is found again."""
    line = " ".join(text.split())
    return (
        line
        if line == text and len(line) <= 255
        else f"{line[:230]} ({hashlib.sha256(text.encode()).hexdigest()[:12]})"
    )


def _text(text: str) -> str:
    return "'" + "".join(ESCAPES.get(char, char) for char in text) + "'"


def _condition(term: Term) -> str:
    return "(" + " AND ".join(f"{field} IN ({', '.join(map(_text, texts))})" for field, texts in term.items()) + ")"


def _soql(query: Query) -> str:
    either = f"({' OR '.join(map(_condition, query.terms))})" if query.terms else ""
    where = f" WHERE {query.also}{either}" if query.also or either else ""
    return f"SELECT {', '.join(query.fields)} FROM {query.name}{where}{query.end}"


def _joined(terms: Iterable[Term]) -> list[Term]:
    """The terms with those on one field alone put together, by 100 texts; texts that no field can hold are left out."""
    alone: dict[str, dict[str, None]] = {}
    found: list[Term] = []
    for term in terms:
        texts = {field: _forms(field, held) for field, held in term.items()}
        if not texts or not all(texts.values()):
            continue
        if len(texts) > 1:
            found.append(texts)
        for field, held in texts.items() if len(texts) == 1 else ():
            alone.setdefault(field, {}).update(dict.fromkeys(held))
    return found + [{field: tuple(part)} for field, held in alone.items() for part in _parts(list(held), 100)]


def _forms(field: str, texts: Iterable[str]) -> tuple[str, ...]:
    """The texts; of a website the forms in which people type it."""
    found: dict[str, None] = {}
    for text in texts:
        bare = re.sub(r"^(https?://)?(www\.)?", "", text, flags=re.I).rstrip("/")
        forms = (
            [f"{start}{bare}{end}" for start in STARTS for end in ("", "/")] if field.endswith("Website") else [text]
        )
        found.update(dict.fromkeys(form for form in forms if text and len(form) <= 4000))
    return tuple(found)


def _parts(items: Sequence[T], most: int, size: Callable[[T], int] = lambda _: 1) -> list[tuple[T, ...]]:
    """The items in parts whose sizes together are at most `most`."""
    parts: list[list[T]] = []
    used = most
    for item in items:
        if used + size(item) > most or not parts:
            parts.append([])
            used = 0
        parts[-1].append(item)
        used += size(item)
    return [tuple(part) for part in parts]


async def _unlocked(count: int, once: Callable[[Sequence[int]], Awaitable[list[Outcome]]]) -> list[Outcome]:
    """What becomes of each of `count` rows by `once`, which is asked again for those that others hold locked."""
    done: list[Outcome] = [LOCKED] * count
    for wait in (0.0, *LOCK_WAITS):
        left = [i for i, one in enumerate(done) if isinstance(one, Problem) and one.code == LOCKED.code]
        if left:
            await asyncio.sleep(wait)
        for part in _parts(left, 200):
            try:
                outcomes = await once(part)
            except Failure as failure:
                if len(part) == count:
                    raise
                outcomes = [failure] * len(part)
            for i, one in zip(part, outcomes, strict=True):
                done[i] = one
    return done


async def _caught(work: Awaitable[Outcome]) -> Outcome:
    try:
        return await work
    except Failure as failure:
        return failure


# What is answered.


def _is_map(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _shaped(type: type[T], data: Any) -> T:
    try:
        return msgspec.convert(data, type)
    except msgspec.ValidationError:
        _lost()


def _lost() -> NoReturn:
    raise Unavailable(maybe_done=True)


def _problem(data: Any) -> Problem:
    problems = _shaped(list[Problem], data)
    return problems[0] if problems else _lost()


def _changed(status: int, data: Any) -> Outcome:
    return "" if status in (200, 204) else Changed() if status == 412 else _problem(data)


def _updated(update: Update) -> Record:
    fields: dict[str, Any] = {**update.record.fields, **update.changes}
    held = {name: value for name, value in fields.items() if value is not None}
    return msgspec.structs.replace(update.record, fields=held, version=None)


def _made(outcome: str | Failure) -> str:
    if isinstance(outcome, Failure):
        raise outcome
    return outcome


def _unknown_field(problem: Problem) -> str | None:
    match = re.search(r"No such column '([^']+)'", problem.message) if problem.code == "INVALID_FIELD" else None
    return match and match[1]


def _failure(
    problem: Problem | Failure,
    record: Record | None = None,
    *,
    about: dict[str, str] | None = None,
    forbidden: str = "records",
) -> Failure:
    """What a connector raises. `about` says what stands in fields that refer to a record."""
    if isinstance(problem, Failure):
        return problem
    code, message = problem.code, problem.message[:500]
    field = problem.fields[0] if problem.fields else ""
    if code in ("DUPLICATES_DETECTED", "DUPLICATE_VALUE"):
        id = _like(problem)
        return Duplicate(id, KINDS.get((id or "")[:3], "contact"))
    if unknown := _unknown_field(problem):
        return UnknownField(unknown, message)
    if code in ("UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT", "SERVER_UNAVAILABLE", "PROCESSING_HALTED", "UNKNOWN_EXCEPTION"):
        return Unavailable(5)
    if about and field in about and code in ("INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID", *GONE):
        return NotFound(about[field])
    if record and (code in GONE or (code in ("INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID") and not field)):
        return NotFound(f"{record.kind} {record.id}")
    if code in FORBIDDEN or code == "NOT_FOUND":
        name = OBJECTS[record.kind] if record else forbidden
        return Rejected(
            field, f"The Salesforce user has no access to {name}. Give it a permission set that has. {message}"
        )
    return Rejected(field, message or code)


def _like(problem: Problem) -> str | None:
    """The id of the record that is there already, where Salesforce says it."""
    if match := re.search(r"with id: (\w{15,18})", problem.message):
        return match[1]
    matches = problem.duplicate_result or problem.duplicate_resut or Matches()
    ids = [one.record.get("Id") for result in matches.match_results for one in result.match_records]
    return next((id for id in ids if isinstance(id, str)), None)


def _field(kind: Kind, one: Described, code: Described | None) -> Field | None:
    """The field as ours. Of a state or country whose code is a picklist, the names are the choices."""
    kinds = cast(dict[str, Any], TYPES)
    if one.type not in kinds:
        return None
    named = code if code and code.type == "picklist" and one.type == "string" else None
    picked = [pick for pick in (named or one).picklist_values if pick.active and pick.value]
    labels = {(pick.label if named else pick.value) or "": pick.label or "" for pick in picked}
    return Field(
        name=one.name,
        label=one.label or one.name,
        type="choice" if named else kinds[one.type],
        maps_to=next((rule.from_[0] for rule in MAPPING[kind] if rule.field == one.name), None),
        custom=one.custom,
        writable=one.createable and one.updateable,
        max_length=one.length or None if kinds[one.type] == "text" else None,
        options=[Option(value, label) for value, label in labels.items()],
    )


def _rules(read_only: bool = False, **fields: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(field=name.replace("__", ".") if read_only else name, from_=tuple(ours.split()), read_only=read_only)
        for name, ours in fields.items()
    )


PERSON = _rules(
    Email="email", FirstName="first_name", LastName="last_name", Title="job_title", Phone="phone",
    LinkedIn_URL__c="linkedin_url", OwnerId="owner",
)  # fmt: skip
MAPPING: dict[Kind, tuple[Rule, ...]] = {
    "contact": PERSON
    + _rules(
        Department="department", MailingCity="city", MailingState="region", MailingCountry="country",
        AccountId="company_id",
    )
    + _rules(read_only=True, Account__Name="company_name", Account__Website="company_domain"),
    "lead": PERSON
    + _rules(Company="company_name", Website="company_domain", City="city", State="region", Country="country"),
    "company": _rules(
        Name="name", Website="website domain", Phone="phone", NumberOfEmployees="employee_count",
        Description="description", BillingCity="city", BillingState="region", BillingCountry="country",
        LinkedIn_URL__c="linkedin_url", OwnerId="owner",
    ),
}  # fmt: skip

connector = Definition(
    name="salesforce",
    label="Salesforce",
    vendor=Vendor(name="salesforce", quota=Quota(concurrency=5)),
    api_url="https://login.salesforce.com",
    hosts=(".salesforce.com", ".force.com", ".salesforce.mil"),
    token=TokenAuth(
        where="Setup, External Client App Manager: an app with the client credentials flow; its consumer key and secret.",
        grant="client_credentials",
    ),
    oauth=OAuth(
        authorize_url="https://login.salesforce.com/services/oauth2/authorize",
        token_url="https://login.salesforce.com/services/oauth2/token",  # noqa: S106
        revoke_url="https://login.salesforce.com/services/oauth2/revoke",
        scopes=("api", "refresh_token"),
        pkce=True,
        api_key="instance_url",
    ),
    capabilities=("contacts", "companies", "notes", "tasks", "owners", "lists", "create_lists", "custom_fields"),
    mapping=MAPPING,
    options={"contact_object": ("contact", "lead")},
    batch=200,
    open=Salesforce,
)
