"""One account's Salesforce."""

import asyncio
import base64
import hashlib
import html
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

import msgspec

from addtocrm.core import times
from addtocrm.core.outgoing.client import Method, Reply
from addtocrm.crm.connectors.salesforce import objects, soql
from addtocrm.crm.connectors.salesforce.answers import (
    LOCKED,
    Answer,
    Answers,
    Outcome,
    Page,
    Problem,
    Resources,
    Saved,
    changed,
    failure,
    lost,
    problem_of,
    shaped,
)
from addtocrm.crm.connectors.salesforce.objects import KINDS, MAPPING, OBJECTS, Described, DescribedObject
from addtocrm.crm.connectors.salesforce.soql import Query, parts
from addtocrm.crm.contract import (
    Access,
    CrmAccount,
    CrmList,
    Duplicate,
    Expired,
    Failure,
    Field,
    Fields,
    Kind,
    Owner,
    Record,
    Rejected,
    Sought,
    Task,
    Term,
    Unavailable,
    Update,
)

API = "/services/data/v66.0"
COLLECTION, SUBREQUESTS, QUERIES = 200, 25, 5
LONGEST_TITLE = 255
NOT_CONVERTED = "IsConverted = false"
LOCK_WAITS = (0.2, 0.5, 1.5)
DAILY_SECONDS, CONCURRENT_SECONDS = 900.0, 5.0
"""The daily quota is that of the last 24 hours, so some of it comes back all the time."""


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
        return CrmAccount(rows[0]["Id"], str(rows[0].get("Name")), self._calls.url)

    async def fields(self, kind: Kind) -> list[Field]:
        try:
            described = await self._describe(OBJECTS[kind])
        except Rejected:
            if kind != "lead":
                raise
            # Many orgs do without leads, and their users may not see them.
            return []
        return objects.fields_of(kind, described)

    async def owners(self) -> list[Owner]:
        only, end = "IsActive = true AND UserType = 'Standard'", " ORDER BY Name, Id LIMIT 2000"
        rows = await self._rows([Query("User", ("Id", "Email", "Name"), also=only, end=end)])
        me = await self._me()
        return [Owner(row["Id"], row.get("Email"), row.get("Name"), row["Id"][:15] == me) for row in rows]

    async def find(self, kind: Kind, sought: Sequence[Sought]) -> list[Record]:
        queries: list[Query] = []
        for one in _people(kind):
            known = set(self._wanted(one))
            queries += self._searches(one, (term for each in sought for term in each.terms if known.issuperset(term)))
        rows = await self._rows(queries)
        rows.sort(key=lambda row: (str(row.get("CreatedDate")), row["Id"]))
        return list({row["Id"]: self._record(row) for row in rows}.values())

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        asked = {id[:15]: id for id in ids if re.fullmatch(r"\w{15}(?:\w{3})?", id, re.ASCII)}
        queries: list[Query] = []
        for one in _people(kind):
            own: list[Term] = [{"Id": (id,)} for id in asked if KINDS.get(id[:3]) == one]
            queries += self._searches(one, own)
        rows = await self._rows(queries)
        return {asked[row["Id"][:15]]: self._record(row) for row in rows if row["Id"][:15] in asked}

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        also = [f"Id > {soql.text(after)}"] if after else []
        also += [NOT_CONVERTED] if kind == "lead" else []
        end = f" ORDER BY Id LIMIT {limit}"
        rows = await self._rows([Query(OBJECTS[kind], self._wanted(kind), also=" AND ".join(also), end=end)])
        return [self._record(row) for row in rows]

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        name = OBJECTS[kind]
        outcomes = await self._insert(name, [objects.sent(name, row, new=True) for row in rows])
        return [
            Record(kind=kind, id=one, url=self._url(name, one), fields=dict(row)) if isinstance(one, str) else one
            for row, one in zip(rows, outcomes, strict=True)
        ]

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        subs = [_patch(one, f"r{i}") for i, one in enumerate(updates)]

        async def alone(sub: dict[str, Any]) -> Outcome:
            call = {"json": sub["body"], "headers": sub["httpHeaders"], "idempotent": True}
            reply = await self._ask("PATCH", sub["url"], **call)
            return changed(reply.status, reply.data)

        async def once(part: Sequence[int]) -> list[Outcome]:
            together = [i for i in part if len(part) > 1 and soql.REFERENCE not in str(subs[i]["body"])]
            answers = await self._composite([subs[i] for i in together], idempotent=True) if together else []
            told = iter(changed(one.http_status_code, one.body) for one in answers)
            return [next(told) if i in together else await _caught(alone(subs[i])) for i in part]

        outcomes = await _unlocked(len(updates), SUBREQUESTS, once)
        return [
            _updated(one) if isinstance(done, str) else failure(done, OBJECTS[one.record.kind], _called(one.record))
            for one, done in zip(updates, outcomes, strict=True)
        ]

    async def create_field(self, kind: Kind, field: Field) -> Field:
        """Makes the field and lets the user's own profile see it: a new field is one that nobody sees."""
        name, api = OBJECTS[kind], field.name if field.name.endswith("__c") else f"{field.name}__c"
        body = objects.new_field(name, msgspec.structs.replace(field, name=api))
        reply = await self._ask("POST", f"{API}/tooling/sobjects/CustomField", json=body)
        if reply.status != 201 and (problem := problem_of(reply.data)).code != "DUPLICATE_DEVELOPER_NAME":
            raise failure(problem, "the making of fields")
        users = await self._rows([Query("User", ("Id", "ProfileId"), [{"Id": (await self._me(),)}])])
        profiles: list[Term] = [{"ProfileId": (str(row.get("ProfileId")),)} for row in users]
        access = {"SobjectType": name, "Field": f"{name}.{api}", "PermissionsRead": True, "PermissionsEdit": True}
        for row in await self._rows([Query("PermissionSet", ("Id",), profiles)]):
            [seen] = await self._insert("FieldPermissions", [{"ParentId": row["Id"], **access}])
            if isinstance(seen, Failure) and not isinstance(seen, Duplicate):
                raise seen
        self._described.pop(name, None)
        found = [one for one in await self.fields(kind) if one.name == api]
        return found[0] if found else lost()

    async def add_note(self, contact_id: str, text: str) -> str:
        content = "".join(f"<p>{html.escape(line, quote=False) or '<br>'}</p>" for line in text.splitlines())
        note = {"Title": _title(text), "Content": base64.b64encode(content.encode()).decode()}
        link = {"ContentDocumentId": "@{note.id}", "LinkedEntityId": contact_id, "ShareType": "I"}
        subs = [_sub("POST", "sobjects/ContentNote", "note", note)]
        subs += [_sub("POST", "sobjects/ContentDocumentLink", "link", link)]
        answers = await self._composite(subs, all_or_none=True)
        problems = [problem_of(one.body) for one in answers if one.http_status_code >= 300]
        if problems:
            told = next((one for one in problems if one.code != "PROCESSING_HALTED"), problems[0])
            raise failure(told, "notes", LinkedEntityId=f"contact {contact_id}")
        return shaped(Saved, answers[0].body).id or lost()

    async def has_note(self, contact_id: str, text: str) -> bool:
        of: Term = {"LinkedEntityId": (contact_id,), "ContentDocument.Title": (_title(text),)}
        return bool(await self._rows([Query("ContentDocumentLink", ("Id",), [of], end=" LIMIT 1")]))

    async def add_task(self, contact_id: str, task: Task) -> str:
        day = task.due_at and task.due_at.date().isoformat()
        row = {"Subject": task.title, "Description": task.description, "ActivityDate": day, "OwnerId": task.owner}
        held = {name: value for name, value in row.items() if value}
        [made] = await self._insert("Task", [held | {"WhoId": contact_id}], WhoId=f"contact {contact_id}")
        return _made(made)

    async def lists(self) -> list[CrmList]:
        rows = await self._rows([Query("Campaign", ("Id", "Name"), end=" ORDER BY Name, Id LIMIT 2000")])
        return [CrmList(row["Id"], str(row.get("Name"))) for row in rows]

    async def create_list(self, name: str) -> CrmList:
        [made] = await self._insert("Campaign", [{"Name": name, "IsActive": True}])
        return CrmList(_made(made), name)

    async def in_list(self, list_id: str, contact_ids: Sequence[str]) -> set[str]:
        queries: list[Query] = []
        for part in parts(list(contact_ids), COLLECTION):
            for field in ("ContactId", "LeadId"):
                own = tuple(id for id in part if _member(id) == field)
                of: Term = {"CampaignId": (list_id,), field: own}
                queries += [Query("CampaignMember", ("Id", field), [of])] if own else []
        on = {str(row.get("ContactId") or row.get("LeadId"))[:15] for row in await self._rows(queries)}
        return {id for id in contact_ids if id[:15] in on}

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        rows = [{"CampaignId": list_id, _member(id): id} for id in dict.fromkeys(contact_ids)]
        about = {"CampaignId": f"list {list_id}", "ContactId": "contact", "LeadId": "contact"}
        for one in await self._insert("CampaignMember", rows, **about):
            if isinstance(one, Failure) and not isinstance(one, Duplicate):
                raise one

    # Reading.

    async def _me(self) -> str:
        """The first 15 characters of the id of the user that we are."""
        reply = await self._ask("GET", f"{API}/")
        return shaped(Resources, reply.data).identity.rpartition("/")[2][:15] if reply.status == 200 else ""

    def _searches(self, kind: Kind, terms: Iterable[Term]) -> list[Query]:
        return soql.searches(OBJECTS[kind], self._wanted(kind), terms, NOT_CONVERTED if kind == "lead" else "")

    def _wanted(self, kind: Kind) -> tuple[str, ...]:
        names = set(self._reads.get(kind) or (rule.field for rule in MAPPING[kind]))
        names = {name for name in names if soql.NAME.fullmatch(name)}
        return ("Id", "CreatedDate", "SystemModstamp", *sorted(names - {"Id", "CreatedDate", "SystemModstamp"}))

    async def _rows(self, queries: Sequence[Query], *, again: bool = True) -> list[dict[str, Any]]:
        """The rows of all queries. A field that is not there (any more) is left out, and leads where there are none."""
        rows: list[dict[str, Any]] = []
        refused: list[Query] = []
        for part in parts(queries, QUERIES):
            subs = [_sub("GET", f"query?q={quote(str(one), safe='')}", f"q{i}") for i, one in enumerate(part)]
            answers = await self._composite(subs, idempotent=True)
            for query, answer in zip(part, answers, strict=True):
                if answer.http_status_code == 200:
                    rows += await self._all(shaped(Page, answer.body))
                    continue
                problem = problem_of(answer.body)
                if problem.code == "INVALID_FIELD" and again:
                    refused.append(query)
                elif (problem.code, query.name) != ("INVALID_TYPE", "Lead"):
                    raise failure(problem, query.name)
        known = [query for one in refused if (query := await self._known(one))]
        return rows + (await self._rows(known, again=False) if known else [])

    async def _all(self, page: Page) -> list[dict[str, Any]]:
        rows = page.records
        while page.next_records_url:
            if not page.next_records_url.startswith("/services/data/"):
                lost()
            reply = await self._ask("GET", page.next_records_url)
            page = shaped(Page, reply.data)
            rows += page.records
        return rows if all(isinstance(row.get("Id"), str) for row in rows) else lost()

    async def _known(self, query: Query) -> Query | None:
        """The query without the fields that its object does not have."""
        described = await self._describe(query.name)
        known = {one.name for one in described} | {one.relationship_name for one in described}
        filtered = known - {one.name for one in described if not one.filterable}
        fields = tuple(field for field in query.fields if field.partition(".")[0] in known)
        terms = [term for term in query.terms if all(field.partition(".")[0] in filtered for field in term)]
        return query._replace(fields=fields, terms=terms) if terms or not query.terms else None

    async def _describe(self, name: str) -> list[Described]:
        if name not in self._described:
            reply = await self._ask("GET", f"{API}/sobjects/{name}/describe")
            if reply.status != 200:
                raise failure(problem_of(reply.data), name)
            self._described[name] = shaped(DescribedObject, reply.data).fields
        return self._described[name]

    def _record(self, row: dict[str, Any]) -> Record:
        kind, version = KINDS.get(row["Id"][:3], "contact"), row.get("SystemModstamp")
        fields = objects.read(row)
        return Record(kind=kind, id=row["Id"], url=self._url(OBJECTS[kind], row["Id"]), fields=fields, version=version)

    def _url(self, name: str, id: str) -> str:
        return f"{self._pages}/lightning/r/{name}/{id}/view"

    # Writing.

    async def _insert(self, name: str, rows: Sequence[dict[str, Any]], **about: str) -> list[str | Failure]:
        """The id of each new row, or why there is none; `about` as `failure` takes it."""

        async def alone(row: dict[str, Any]) -> Outcome:
            reply = await self._ask("POST", f"{API}/sobjects/{name}", json=row)
            return shaped(Saved, reply.data).id or lost() if reply.status == 201 else problem_of(reply.data)

        async def once(part: Sequence[int]) -> list[Outcome]:
            if len(part) == 1:
                return [await alone(rows[part[0]])]
            done = await self._collection([{"attributes": {"type": name}, **rows[i]} for i in part])
            for at, one in enumerate(done):
                # A collection does not say which record is like the new one.
                if isinstance(one, Problem) and one.code == "DUPLICATES_DETECTED":
                    done[at] = await _caught(alone(rows[part[at]]))
            return done

        outcomes = await _unlocked(len(rows), COLLECTION, once)
        return [one if isinstance(one, str) else failure(one, name, **about) for one in outcomes]

    async def _collection(self, records: list[dict[str, Any]]) -> list[Outcome]:
        """What becomes of each. A request that is refused for some of its rows is sent again without them."""
        if not records:
            return []
        body = {"allOrNone": False, "records": records}
        reply = await self._ask("POST", f"{API}/composite/sobjects", json=body)
        if reply.status == 200:
            saved = shaped(list[Saved], reply.data)
            return [one.outcome for one in saved] if len(saved) == len(records) else lost()
        problem = problem_of(reply.data)
        if reply.status != 400 or len(records) == 1:
            return [problem] * len(records)
        guilty = [problem.unknown_field in record for record in records]
        if not any(guilty):
            half = len(records) // 2
            return await self._part(records[:half]) + await self._part(records[half:])
        rest = iter(await self._part([one for one, bad in zip(records, guilty, strict=True) if not bad]))
        return [problem if bad else next(rest) for bad in guilty]

    async def _part(self, records: list[dict[str, Any]]) -> list[Outcome]:
        """As `_collection`, where others may have been written already."""
        try:
            return await self._collection(records)
        except Failure as failed:
            return [failed] * len(records)

    async def _composite(
        self, subs: list[dict[str, Any]], *, all_or_none: bool = False, idempotent: bool = False
    ) -> list[Answer]:
        body = {"allOrNone": all_or_none, "compositeRequest": subs}
        reply = await self._ask("POST", f"{API}/composite", json=body, idempotent=idempotent)
        if reply.status != 200:
            raise failure(problem_of(reply.data), "this request")
        answers = shaped(Answers, reply.data).composite_response
        return answers if len(answers) == len(subs) else lost()

    async def _ask(self, method: Method, path: str, **call: Any) -> Reply:
        reply = await self._calls.ask(method, path, **call)
        if reply.status == 403:
            problem = problem_of(reply.data)
            if problem.code == "REQUEST_LIMIT_EXCEEDED":
                concurrent = "concurrent" in problem.message.lower()
                raise await self._calls.limited(CONCURRENT_SECONDS if concurrent else DAILY_SECONDS)
            if problem.code == "INVALID_SESSION_ID":
                raise Expired
        return reply


def _people(kind: Kind) -> tuple[Kind, ...]:
    """The kinds that are looked at for `kind`."""
    return ("company",) if kind == "company" else ("contact", "lead")


def _member(id: str) -> str:
    return "LeadId" if KINDS.get(id[:3]) == "lead" else "ContactId"


def _called(record: Record) -> str:
    return f"{record.kind} {record.id}"


def _sub(method: Method, path: str, reference: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    sub: dict[str, Any] = {"method": method, "url": f"{API}/{path}", "referenceId": reference}
    return sub if body is None else {**sub, "body": body}


def _patch(update: Update, reference: str) -> dict[str, Any]:
    record, name = update.record, OBJECTS[update.record.kind]
    path = f"sobjects/{name}/{quote(record.id, safe='')}"
    sub = _sub("PATCH", path, reference, objects.sent(name, update.changes))
    guard = format_datetime(times.parse(record.version), usegmt=True) if update.guarded and record.version else None
    return {**sub, "httpHeaders": {"If-Unmodified-Since": guard} if guard else {}}


def _updated(update: Update) -> Record:
    fields = {**update.record.fields, **update.changes}
    held = {name: value for name, value in fields.items() if value is not None}
    return msgspec.structs.replace(update.record, fields=held, version=None)


def _title(text: str) -> str:
    """A note's title, by which just this text is found again: a note's own text cannot be asked for."""
    line = " ".join(text.split())
    if line == text and len(line) <= LONGEST_TITLE and soql.REFERENCE not in line:
        return line
    line = line.replace(soql.REFERENCE, "{")
    return f"{line[: LONGEST_TITLE - 20]} ({hashlib.sha256(text.encode()).hexdigest()[:12]})"


def _made(outcome: str | Failure) -> str:
    if isinstance(outcome, Failure):
        raise outcome
    return outcome


async def _caught(work: Awaitable[Outcome]) -> Outcome:
    try:
        return await work
    except Failure as failed:
        return failed


async def _unlocked(count: int, most: int, once: Callable[[Sequence[int]], Awaitable[list[Outcome]]]) -> list[Outcome]:
    """What becomes of each of `count` rows by `once`, which takes `most`, and again those that others hold locked.

    What was done is told also where a later request fails.
    """
    done: list[Outcome] = [LOCKED] * count
    for wait in (0.0, *LOCK_WAITS):
        left = [i for i, one in enumerate(done) if _locked(one)]
        await asyncio.sleep(wait if left else 0)
        for part in parts(left, most):
            try:
                outcomes = await once(part)
            except Failure as failed:
                if not any(isinstance(one, str) for one in done):
                    raise
                return [failed if _locked(one) else one for one in done]
            for i, one in zip(part, outcomes, strict=True):
                done[i] = one
    return done


def _locked(outcome: Outcome) -> bool:
    return isinstance(outcome, Problem) and outcome.code == LOCKED.code
