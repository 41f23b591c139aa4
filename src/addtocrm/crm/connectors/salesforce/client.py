"""The connector to Salesforce: what is asked for each operation, and what it gives."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from addtocrm.crm.connectors.salesforce.answers import Resources, Saved, failure, lost, problem_of, shaped
from addtocrm.crm.connectors.salesforce.api import BASE, Api, sub
from addtocrm.crm.connectors.salesforce.fields import fields_of, new_field
from addtocrm.crm.connectors.salesforce.mapping import MAPPING
from addtocrm.crm.connectors.salesforce.notes import content_of, title_of
from addtocrm.crm.connectors.salesforce.objects import OBJECTS, kind_of
from addtocrm.crm.connectors.salesforce.reading import Reader
from addtocrm.crm.connectors.salesforce.soql import NAME, ROWS, Query, quoted, searches
from addtocrm.crm.connectors.salesforce.values import read, sent
from addtocrm.crm.connectors.salesforce.writing import COLLECTION, Writer
from addtocrm.crm.contract import (
    Access,
    CrmAccount,
    CrmList,
    Field,
    Fields,
    Found,
    Owner,
    Record,
    Sought,
    Task,
    Term,
    Update,
)
from addtocrm.crm.failures import Failure, Rejected, Unavailable
from addtocrm.crm.kinds import Kind
from addtocrm.crm.several import parts

ALWAYS = ("Id", "CreatedDate", "SystemModstamp")
"""What every record is read with."""
NOT_CONVERTED = "IsConverted = false"


class Salesforce:
    """The Connector to one org."""

    def __init__(self, access: Access) -> None:
        assert access.calls
        self._api_url, self._pages = access.calls.url, access.page_url or access.calls.url
        self._reads = access.reads
        self._api = Api(access.calls)
        self._reader, self._writer = Reader(self._api), Writer(self._api)

    async def info(self) -> CrmAccount:
        rows = await self._reader.rows([Query("Organization", ("Id", "Name"), end=" LIMIT 1")])
        if not rows:
            raise Unavailable
        return CrmAccount(rows[0]["Id"], str(rows[0].get("Name")), self._api_url)

    async def fields(self, kind: Kind) -> list[Field]:
        try:
            described = await self._reader.describe(OBJECTS[kind])
        except Rejected:
            if kind != "lead":
                raise
            # Many orgs do without leads, and their users may not see them.
            return []
        return fields_of(kind, described)

    async def owners(self) -> list[Owner]:
        only, end = "IsActive = true AND UserType = 'Standard'", " ORDER BY Name, Id"
        rows = await self._reader.rows([Query("User", ("Id", "Email", "Name"), also=only, end=end)])
        me = await self._me()
        return [Owner(row["Id"], row.get("Email"), row.get("Name"), row["Id"][:15] == me) for row in rows]

    async def find(self, kind: Kind, sought: Sequence[Sought]) -> Found:
        queries: list[Query] = []
        for one in _among(kind):
            known = set(self._wanted(one))
            queries += self._searches(
                one,
                (term for each in sought for term in each.terms if known.issuperset(term)),
                (each.within for each in sought if each.within and known.issuperset(each.within)),
            )
        rows: list[dict[str, Any]] = []
        cut: list[Term] = []
        while queries:
            full: list[Query] = []
            for query, found in zip(queries, await self._reader.several(queries), strict=True):
                rows += found
                full += [query] if len(found) >= ROWS else []
            queries = [half for query in full for half in query.halves()]
            cut += [term for query in full if not query.halves() for term in query.terms]
        rows.sort(key=lambda row: (str(row.get("CreatedDate")), row["Id"]))
        return Found({row["Id"]: self._record(row) for row in rows}.values(), cut)

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        asked = {id[:15]: id for id in ids if re.fullmatch(r"\w{15}(?:\w{3})?", id, re.ASCII)}
        queries: list[Query] = []
        for one in _among(kind):
            queries += self._searches(one, ({"Id": (id,)} for id in asked if kind_of(id) == one))
        rows = await self._reader.rows(queries)
        return {asked[row["Id"][:15]]: self._record(row) for row in rows if row["Id"][:15] in asked}

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        also = [f"Id > {quoted(after)}"] if after else []
        also += [NOT_CONVERTED] if kind == "lead" else []
        end = f" ORDER BY Id LIMIT {limit}"
        rows = await self._reader.rows([Query(OBJECTS[kind], self._wanted(kind), also=" AND ".join(also), end=end)])
        return [self._record(row) for row in rows]

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        name = OBJECTS[kind]
        outcomes = await self._writer.insert(name, [sent(name, row, new=True) for row in rows])
        return [
            Record(kind=kind, id=one, url=self._url(kind, one), fields=dict(row)) if isinstance(one, str) else one
            for row, one in zip(rows, outcomes, strict=True)
        ]

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        outcomes = await self._writer.change(updates)
        return [one.done(None) if isinstance(done, str) else done for one, done in zip(updates, outcomes, strict=True)]

    async def create_field(self, kind: Kind, field: Field) -> Field:
        """Makes the field and lets the user's own profile see it: a new field is one that nobody sees."""
        name, api = OBJECTS[kind], field.name if field.name.endswith("__c") else f"{field.name}__c"
        body = new_field(name, msgspec.structs.replace(field, name=api))
        reply = await self._api.ask("POST", f"{BASE}/tooling/sobjects/CustomField", json=body)
        if reply.status != 201 and (problem := problem_of(reply.data)).code != "DUPLICATE_DEVELOPER_NAME":
            raise failure(problem, "the making of fields")
        users = await self._reader.rows([Query("User", ("Id", "ProfileId"), [{"Id": (await self._me(),)}])])
        profiles: list[Term] = [{"ProfileId": (str(row.get("ProfileId")),)} for row in users]
        access = {"SobjectType": name, "Field": f"{name}.{api}", "PermissionsRead": True, "PermissionsEdit": True}
        for row in await self._reader.rows([Query("PermissionSet", ("Id",), profiles)]):
            await self._writer.ensure("FieldPermissions", [{"ParentId": row["Id"], **access}])
        self._reader.forget(name)
        found = [one for one in await self.fields(kind) if one.name == api]
        return found[0] if found else lost()

    async def add_note(self, contact_id: str, text: str) -> str:
        note = {"Title": title_of(text), "Content": content_of(text)}
        link = {"ContentDocumentId": "@{note.id}", "LinkedEntityId": contact_id, "ShareType": "I"}
        subs = [sub("POST", "sobjects/ContentNote", "note", note)]
        subs += [sub("POST", "sobjects/ContentDocumentLink", "link", link)]
        answers = await self._api.composite(subs, all_or_none=True)
        problems = [problem_of(one.body) for one in answers if one.http_status_code >= 300]
        if problems:
            told = next((one for one in problems if one.code != "PROCESSING_HALTED"), problems[0])
            raise failure(told, "notes", LinkedEntityId=f"contact {contact_id}")
        return shaped(Saved, answers[0].body).id or lost()

    async def has_note(self, contact_id: str, text: str) -> bool:
        of: Term = {"LinkedEntityId": (contact_id,), "ContentDocument.Title": (title_of(text),)}
        return bool(await self._reader.rows([Query("ContentDocumentLink", ("Id",), [of], end=" LIMIT 1")]))

    async def add_task(self, contact_id: str, task: Task) -> str:
        day = task.due_at and task.due_at.date().isoformat()
        row = {"Subject": task.title, "Description": task.description, "ActivityDate": day, "OwnerId": task.owner}
        held = {name: value for name, value in row.items() if value}
        return await self._writer.insert_one("Task", held | {"WhoId": contact_id}, WhoId=f"contact {contact_id}")

    async def lists(self) -> list[CrmList]:
        rows = await self._reader.rows([Query("Campaign", ("Id", "Name"), end=" ORDER BY Name, Id")])
        return [CrmList(row["Id"], str(row.get("Name"))) for row in rows]

    async def create_list(self, name: str) -> CrmList:
        return CrmList(await self._writer.insert_one("Campaign", {"Name": name, "IsActive": True}), name)

    async def in_list(self, list_id: str, contact_ids: Sequence[str]) -> set[str]:
        queries: list[Query] = []
        for part in parts(contact_ids, COLLECTION):
            for field in ("ContactId", "LeadId"):
                own = tuple(id for id in part if _member(id) == field)
                of: Term = {"CampaignId": (list_id,), field: own}
                queries += [Query("CampaignMember", ("Id", field), [of])] if own else []
        on = {str(row.get("ContactId") or row.get("LeadId"))[:15] for row in await self._reader.rows(queries)}
        return {id for id in contact_ids if id[:15] in on}

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        rows = [{"CampaignId": list_id, _member(id): id} for id in dict.fromkeys(contact_ids)]
        about = {"CampaignId": f"list {list_id}", "ContactId": "contact", "LeadId": "contact"}
        await self._writer.ensure("CampaignMember", rows, **about)

    async def _me(self) -> str:
        """The first 15 characters of the id of the user that we are."""
        reply = await self._api.ask("GET", f"{BASE}/")
        return shaped(Resources, reply.data).identity.rpartition("/")[2][:15] if reply.status == 200 else ""

    def _searches(self, kind: Kind, terms: Iterable[Term], within: Iterable[Term] = ()) -> list[Query]:
        return searches(OBJECTS[kind], self._wanted(kind), terms, NOT_CONVERTED if kind == "lead" else "", within)

    def _wanted(self, kind: Kind) -> tuple[str, ...]:
        names = self._reads.get(kind) or {rule.field for rule in MAPPING[kind]}
        return (*ALWAYS, *sorted(name for name in names if NAME.fullmatch(name) and name not in ALWAYS))

    def _record(self, row: dict[str, Any]) -> Record:
        kind, id = kind_of(row["Id"]) or "contact", row["Id"]
        return Record(
            kind=kind,
            id=id,
            url=self._url(kind, id),
            fields=read(row),
            version=row.get("SystemModstamp"),
            created_at=row.get("CreatedDate"),
        )

    def _url(self, kind: Kind, id: str) -> str:
        return f"{self._pages}/lightning/r/{OBJECTS[kind]}/{id}/view"


def _among(kind: Kind) -> tuple[Kind, ...]:
    """The kinds that are looked at for `kind`."""
    return ("company",) if kind == "company" else ("contact", "lead")


def _member(id: str) -> str:
    return "LeadId" if kind_of(id) == "lead" else "ContactId"
