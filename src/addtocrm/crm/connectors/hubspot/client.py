"""HubSpot's paths and calls, as the Connector of one account."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from addtocrm.crm.connectors.hubspot import fields, search
from addtocrm.crm.connectors.hubspot.answers import Added, Item, Lists, NewList, Page
from addtocrm.crm.connectors.hubspot.asking import Asking
from addtocrm.crm.connectors.hubspot.fields import LINK, OWNER, Property
from addtocrm.crm.connectors.hubspot.objects import (
    BATCH,
    NOTE,
    OBJECT,
    OBJECTS,
    PROPERTIES,
    TASK,
    TYPE_ID,
    association,
)
from addtocrm.crm.connectors.hubspot.reading import HITS, RESULTS, Reading
from addtocrm.crm.connectors.hubspot.writing import Writing
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
from addtocrm.crm.failures import Duplicate, Failure, NotFound, Rejected, Unavailable
from addtocrm.crm.kinds import Kind
from addtocrm.crm.several import parts
from addtocrm.crm.texts import as_html, plain

LISTS = "/crm/v3/lists"


class HubSpot:
    """The Connector of one account."""

    def __init__(self, access: Access) -> None:
        assert access.calls
        self._asking = Asking(access.calls)
        self._reading = Reading(self._asking, access.reads, access.page_url)
        self._writing = Writing(self._asking, self._reading)
        self._ask = self._asking.ask

    async def info(self) -> CrmAccount:
        details = await self._ask("GET", "/account-info/v3/details", dict[str, Any])
        host, id = str(details.get("uiDomain")), str(details.get("portalId", ""))
        if not id.isdigit():
            raise Unavailable()
        host = host if re.fullmatch(r"[a-z0-9-]+\.hubspot\.com", host) else "app.hubspot.com"
        return CrmAccount(id, str(details.get("portalName") or f"HubSpot {id}"), f"https://{host}/contacts/{id}")

    async def fields(self, kind: Kind) -> list[Field]:
        return [fields.described(one) for one in await self._reading.properties(kind)]

    async def create_field(self, kind: Kind, field: Field) -> Field:
        path = f"{PROPERTIES}/{OBJECT[kind]}"
        try:
            made = await self._ask("POST", path, Property, json=fields.new_property(kind, field))
        except Duplicate:
            made = await self._ask("GET", f"{path}/{quote(field.name, safe='')}", Property)
        return fields.described(made)

    async def owners(self) -> list[Owner]:
        owners: list[Owner] = []
        async for page in self._asking.pages("/crm/v3/owners"):
            for one in page:
                name = " ".join(str(one[part]) for part in ("firstName", "lastName") if one.get(part))
                if one.get("type") != "QUEUE":
                    owners.append(Owner(str(one.get("id")), one.get("email"), name or None))
        return owners

    async def find(self, kind: Kind, sought: Sequence[Sought]) -> Found:
        emails: dict[str, None] = {}
        others: list[Term] = []
        for term in (term for one in sought for term in one.terms):
            if search.is_email(kind, term):
                emails |= {text.strip().lower(): None for texts in term.values() for text in texts}
            else:
                others.append(term)
        found = await self._reading.many(kind, list(emails), "email")
        ids: dict[str, None] = {}
        cut: list[Term] = []
        for query in search.queries(others):
            some, full = await self._reading.search(kind, query, HITS)
            for term in (term for term in others if any(search.is_of(term, group) for group in full)):
                for alone in search.queries([term]):
                    more, still = await self._reading.search(kind, alone, RESULTS)
                    some += more
                    cut += [term] if still else []
            ids |= dict.fromkeys(some)
        found |= await self._reading.many(kind, [id for id in ids if id not in found])
        oldest_first = sorted(found.values(), key=lambda one: (one.created_at, len(one.id), one.id))
        return Found([self._reading.record(kind, item) for item in oldest_first], cut)

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        found = await self._reading.by_id(kind, list(dict.fromkeys(ids)))
        return {id: self._reading.record(kind, item) for id, item in found.items()}

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        records: list[Record] = []
        last = after or "0"
        while len(records) < limit:
            size = min(BATCH, limit - len(records))
            found = await self._reading.page(kind, search.beyond(last, size))
            ids = [one.id for one in found.results]
            items = await self._reading.many(kind, ids)
            records += [self._reading.record(kind, items[id]) for id in ids if id in items]
            if len(ids) != size:
                break
            last = ids[-1]
        return records

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        return await self._writing.create(kind, rows)

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        return await self._writing.update(kind, updates)

    async def add_note(self, contact_id: str, text: str) -> str:
        return await self._add("notes", contact_id, NOTE, {"hs_note_body": as_html(text), "hs_timestamp": _millis()})

    async def has_note(self, contact_id: str, text: str) -> bool:
        path = f"/crm/v4/objects/contacts/{quote(contact_id, safe='')}/associations/notes"
        async for page in self._asking.pages(path, f"contact {contact_id}"):
            for part in parts([str(one.get("toObjectId")) for one in page], BATCH):
                notes = await self._asking.read("notes", part, ["hs_note_body"])
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
        return await self._add("tasks", contact_id, TASK, {name: value for name, value in values.items() if value})

    async def lists(self) -> list[CrmList]:
        found: list[CrmList] = []
        static = {"objectTypeId": TYPE_ID["contact"], "processingTypes": ["MANUAL", "SNAPSHOT"]}
        while True:
            body = {**static, "additionalProperties": [], "count": 500, "offset": len(found)}
            page = await self._ask("POST", f"{LISTS}/search", Lists, json=body, idempotent=True)
            found += [CrmList(one.list_id, one.name) for one in page.lists]
            if not page.has_more or not page.lists:
                return found

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
        path = f"{LISTS}/records/memberships/batch/read"
        for part in parts(list(dict.fromkeys(contact_ids)), BATCH):
            body = {"inputs": [{"objectTypeId": TYPE_ID["contact"], "recordId": id} for id in part]}
            page = await self._ask("POST", path, Page[dict[str, Any]], json=body, idempotent=True)
            for one in page.results:
                if list_id in [str(each.get("listId")) for each in one.get("recordListMemberships") or ()]:
                    found.add(str(one.get("recordId")))
        return found

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        path = f"{LISTS}/{quote(list_id, safe='')}/memberships/add"
        done = await self._ask("PUT", path, Added, f"list {list_id}", json=list(contact_ids))
        if done.missing:
            raise NotFound(f"contact {min(done.missing)}")

    async def _add(self, object: str, contact_id: str, type: int, properties: Mapping[str, Any]) -> str:
        body = {"properties": properties, "associations": [association(contact_id, type)]}
        try:
            return (await self._ask("POST", f"{OBJECTS}/{object}", Item, f"contact {contact_id}", json=body)).id
        except Rejected as rejected:
            raise NotFound(f"contact {contact_id}") if rejected.field == LINK else rejected from None


def _millis(time: datetime | None = None) -> str:
    return str(int((time or datetime.now(UTC)).timestamp() * 1000))
