"""The Connector protocol, in Pipedrive's calls."""

import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from addtocrm.crm.connectors.pipedrive.activities import activity
from addtocrm.crm.connectors.pipedrive.answers import (
    ActivityType,
    Choice,
    Made,
    Meta,
    Note,
    Raw,
    User,
    convert,
    raw_of,
    raws_of,
)
from addtocrm.crm.connectors.pipedrive.api import AT_ONCE, ENTITY, LABELLED, PAGE, SINGULAR, Api
from addtocrm.crm.connectors.pipedrive.fields import ALWAYS, CHANNELS, custom_field, described
from addtocrm.crm.connectors.pipedrive.search import asked, holds
from addtocrm.crm.connectors.pipedrive.values import is_number, number, read, texts_of, typed, written
from addtocrm.crm.contract import (
    Access,
    Changes,
    CrmAccount,
    CrmList,
    Field,
    Fields,
    Found,
    Owner,
    Record,
    Sought,
    Task,
    Update,
)
from addtocrm.crm.failures import Changed, Failure, NotFound, Rejected, Unavailable
from addtocrm.crm.kinds import Kind
from addtocrm.crm.several import all_together, together
from addtocrm.crm.texts import as_html, plain


class Pipedrive:
    """The Connector of one account."""

    def __init__(self, access: Access) -> None:
        assert access.calls
        self._api, self._reads = Api(access.calls), access.reads
        self._page_url = access.page_url

    async def info(self) -> CrmAccount:
        me = convert((await self._api.ask("GET", "/api/v1/users/me")).data, User)
        if me.company_id is None:
            raise Unavailable
        domain = me.company_domain or ""
        page = f"https://{domain}.pipedrive.com" if re.fullmatch(r"[\w-]+", domain, re.ASCII) else None
        return CrmAccount(str(me.company_id), me.company_name or domain, page)

    async def fields(self, kind: Kind) -> list[Field]:
        return [*ALWAYS[kind], *(field for meta in await self._api.metas(kind) for field in described(kind, meta))]

    async def owners(self) -> list[Owner]:
        users = convert((await self._api.ask("GET", "/api/v1/users")).data, list[User])
        return [Owner(str(one.id), one.email, one.name, one.is_you) for one in users if one.active_flag]

    async def lists(self) -> list[CrmList]:
        answer = await self._api.ask("GET", "/api/v2/personFields/label_ids")
        return [CrmList(str(one.id), one.label) for one in convert(answer.data, Meta).options or []]

    async def find(self, kind: Kind, sought: Sequence[Sought]) -> Found:
        terms = [term for one in sought for term in one.terms]
        if not terms:
            return Found()
        questions = sorted({question for term in terms for question in asked(term)})
        recent = await self._api.recent(kind)
        hits = await all_together(questions, partial(self._api.search, kind), AT_ONCE)
        found = {id for ids, _ in hits for id in ids}
        full = {question for question, (_, more) in zip(questions, hits, strict=True) if more}
        cut = [term for term in terms if not full.isdisjoint(asked(term))]
        fresh = [
            raw for id, raw in recent.items() if id in found or any(holds(term, read(kind, raw)) for term in terms)
        ]
        raws = [*fresh, *await self._api.read(kind, sorted(found - recent.keys()))]
        return Found(await self._records(kind, raws), cut)

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        return {record.id: record for record in await self._records(kind, await self._api.read(kind, ids))}

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        last = number("cursor", after) if after else 0

        def later(data: Any) -> list[Raw]:
            return [raw for raw in raws_of(data) if raw["id"] > last]

        query = {**LABELLED, "limit": str(500 if after else min(limit, 500))}
        rows = await self._api.paged(f"/api/v2/{ENTITY[kind]}", query, later, limit)
        return await self._records(kind, rows[:limit])

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        return await together(rows, partial(self._create, kind), AT_ONCE)

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        return await together(updates, partial(self._update, kind), AT_ONCE)

    async def create_field(self, kind: Kind, field: Field) -> Field:
        answer = await self._api.ask("POST", f"/api/v2/{SINGULAR[kind]}Fields", json=custom_field(field))
        self._api.forget(kind)
        return described(kind, convert(answer.data, Meta))[0]

    async def add_note(self, contact_id: str, text: str) -> str:
        body = {"content": as_html(text), "person_id": number("", contact_id)}
        answer = await self._api.ask("POST", "/api/v1/notes", json=body, what=f"contact {contact_id}")
        return str(convert(answer.data, Made).id)

    async def has_note(self, contact_id: str, text: str) -> bool:
        start = 0
        while True:
            query = {"person_id": contact_id, "sort": "add_time DESC", "start": str(start), "limit": str(PAGE)}
            answer = await self._api.ask("GET", "/api/v1/notes", params=query)
            notes = convert(answer.data or [], list[Note])
            if any(plain(note.content or "") == plain(as_html(text)) for note in notes):
                return True
            if len(notes) < PAGE:
                return False
            start += PAGE

    async def add_task(self, contact_id: str, task: Task) -> str:
        body = activity(contact_id, task)
        try:
            answer = await self._api.ask("POST", "/api/v2/activities", json=body, what=f"contact {contact_id}")
        except Rejected as refusal:
            if refusal.field != "type":
                raise
            # Accounts may have deleted the type that is there from the beginning.
            types = convert((await self._api.ask("GET", "/api/v1/activityTypes")).data, list[ActivityType])
            kept = next((one.key_string for one in types if one.active_flag), None)
            answer = await self._api.ask("POST", "/api/v2/activities", json={**body, "type": kept})
        return str(convert(answer.data, Made).id)

    async def create_list(self, name: str) -> CrmList:
        for there in await self.lists():
            if there.name.casefold() == name.casefold():
                return there
        answer = await self._api.ask("POST", "/api/v2/personFields/label_ids/options", json=[{"label": name}])
        made = convert(answer.data, list[Choice])
        if not made:
            raise Unavailable
        return CrmList(str(made[0].id), made[0].label)

    async def in_list(self, list_id: str, contact_ids: Sequence[str]) -> set[str]:
        raws = await self._api.read("contact", contact_ids)
        return {str(raw["id"]) for raw in raws if list_id in map(str, raw.get("label_ids") or [])}

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        label = number("", list_id)
        raws = await self._api.read("contact", contact_ids)

        async def add(raw: Raw) -> None:
            body: Raw = {"label_ids": [*(raw.get("label_ids") or []), label]}
            path, what = f"/api/v2/persons/{raw['id']}", f"contact {raw['id']}"
            await self._api.ask("PATCH", path, json=body, idempotent=True, what=what)

        await all_together([raw for raw in raws if label not in (raw.get("label_ids") or [])], add, AT_ONCE)
        if missing := set(contact_ids) - {str(raw["id"]) for raw in raws}:
            raise NotFound(f"contact {min(missing)}")

    async def _records(self, kind: Kind, raws: Iterable[Raw]) -> list[Record]:
        """The records, the oldest first; contacts with what is wanted of their organizations."""
        known = {raw["id"]: raw for raw in raws}
        organizations: dict[str, Raw] = {}
        if kind == "contact" and any(name.startswith("organization.") for name in self._reads["contact"]):
            linked = {str(raw["org_id"]) for raw in known.values() if raw.get("org_id")}
            organizations = {str(raw["id"]): raw for raw in await self._api.read("company", sorted(linked))}
        records: list[Record] = []
        for _, raw in sorted(known.items()):
            organization = organizations.get(str(raw.get("org_id")), {})
            more = {f"organization.{name}": organization.get(name) for name in ("name", "website")}
            records.append(self._record(kind, raw, {name: value for name, value in more.items() if value}))
        return records

    def _record(self, kind: Kind, raw: Raw, more: Fields) -> Record:
        url = f"{self._page_url}/{SINGULAR[kind]}/{raw['id']}" if self._page_url else None
        version, made = raw.get("update_time"), raw.get("add_time")
        fields = {**read(kind, raw), **more}
        return Record(
            kind=kind,
            id=str(raw["id"]),
            url=url,
            fields=fields,
            version=version and str(version),
            created_at=made and str(made),
        )

    async def _create(self, kind: Kind, row: Fields) -> Record:
        body = await self._body(kind, row, {}, {})
        if not body.get("name"):
            telling = row if kind == "company" else CHANNELS
            called = next((text for name in telling for text in texts_of(row.get(name))), None)
            if kind == "company" and not called:
                raise Rejected("name", "is required: Pipedrive has no organization without one.")
            body["name"] = called or "-"
        answer = await self._api.ask("POST", f"/api/v2/{ENTITY[kind]}", json=body)
        return self._record(kind, raw_of(answer.data), row)

    async def _update(self, kind: Kind, update: Update) -> Record:
        record, changes, what = update.record, update.changes, f"{update.record.kind} {update.record.id}"
        if not changes:
            return record
        before: Raw = {}
        if update.guarded or any(name in changes for name in CHANNELS):
            there = await self._api.read(kind, [record.id])
            if not there:
                raise NotFound(what)
            before = there[0]
            if update.guarded and record.version not in (None, before.get("update_time")):
                raise Changed
        body = await self._body(kind, changes, record.fields, before)
        path = f"/api/v2/{ENTITY[kind]}/{record.id}"
        raw = raw_of((await self._api.ask("PATCH", path, json=body, idempotent=True, what=what)).data)
        if raw.get("is_deleted"):
            raise NotFound(what)
        return update.done(self._record(kind, raw, {}).version)

    async def _body(self, kind: Kind, changes: Changes, before: Fields, raw: Raw) -> Raw:
        """As `written`, with the fields' types asked for where it depends on them."""
        body = written(changes, before, raw)
        custom: Raw = body.get("custom_fields", {})
        if any(map(is_number, custom.values())):
            body["custom_fields"] = typed(custom, await self._api.metas(kind))
        return body
