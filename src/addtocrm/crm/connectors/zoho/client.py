"""The Connector of one account at Zoho CRM."""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from addtocrm.crm.connectors.zoho import answers, fields
from addtocrm.crm.connectors.zoho.api import Api
from addtocrm.crm.connectors.zoho.failures import NoPermission
from addtocrm.crm.connectors.zoho.fields import MODULES, OF_COMPANY, TYPES
from addtocrm.crm.connectors.zoho.reading import Reader
from addtocrm.crm.connectors.zoho.writing import Writer
from addtocrm.crm.contract import Access, CrmAccount, CrmList, Field, Fields, Found, Owner, Record, Sought, Task, Update
from addtocrm.crm.failures import Failure, Rejected, Unavailable
from addtocrm.crm.kinds import Kind

TAG = 25


class Zoho:
    """The Connector of one account, opened with `access`."""

    def __init__(self, access: Access) -> None:
        assert access.calls
        self._url = access.calls.url
        self._api = Api(access.calls)
        self._reader = Reader(self._api, access)
        self._writer = Writer(self._api, self._reader)

    async def info(self) -> CrmAccount:
        org = answers.first(await self._api.ask("GET", "/org"), "org")
        centre = (urlsplit(self._url).hostname or "").partition("zohoapis.")[2] or "com"
        pages = f"https://crm.{'zohocloud' if centre == 'ca' else 'zoho'}.{centre}/crm/{org.get('domain_name')}"
        name = str(org.get("company_name") or "Zoho CRM")
        return CrmAccount(answers.text(org, "zgid"), name, pages if org.get("domain_name") else None)

    async def fields(self, kind: Kind) -> list[Field]:
        try:
            rows = await self._reader.described(MODULES[kind])
        except NoPermission:
            if kind != "lead":
                raise
            return []
        found = [fields.described(row) for row in rows if row.get("data_type") in TYPES]
        if kind == "contact" and any(field.name == "Account_Name" for field in found):
            found += OF_COMPANY
        return found

    async def owners(self) -> list[Owner]:
        current = answers.first(await self._api.ask("GET", "/users", params={"type": "CurrentUser"}), "users")
        default = answers.text(current, "id")
        rows = [row async for row in self._api.pages("/users", "users", {"type": "ActiveUsers"})]
        return [Owner(answers.text(u, "id"), u.get("email"), u.get("full_name"), u.get("id") == default) for u in rows]

    async def lists(self) -> list[CrmList]:
        """Tags by name, as Contacts and Leads have each their own of one name."""
        names: dict[str, None] = {}
        for module in self._reader.people:
            with self._reader.where_seen(module):
                names |= dict.fromkeys(answers.text(tag, "name") for tag in await self._api.settings("tags", module))
        return [CrmList(name, name) for name in names]

    async def find(self, kind: Kind, sought: Sequence[Sought]) -> Found:
        return await self._reader.find(kind, sought)

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        return await self._reader.get(kind, ids)

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        return await self._reader.page(kind, after, limit)

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        return await self._writer.create(kind, rows)

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        return await self._writer.update(updates)

    async def create_field(self, kind: Kind, field: Field) -> Field:
        made = (await self._api.make("fields", MODULES[kind], fields.wanted(field))).details.get("id")
        for row in await self._reader.described(MODULES[kind]):
            if row.get("id") == made if made else row.get("field_label") == field.label:
                return fields.described(row)
        raise Unavailable(maybe_done=True)

    async def add_note(self, contact_id: str, text: str) -> str:
        module = await self._reader.module_of(contact_id)
        note = {"Parent_Id": {"module": {"api_name": module}, "id": contact_id}, "Note_Content": text}
        return await self._api.add("/Notes", note, module)

    async def has_note(self, contact_id: str, text: str) -> bool:
        path = f"/{await self._reader.module_of(contact_id)}/{contact_id}/Notes"
        async for note in self._api.pages(path, "data", {"fields": "Note_Content"}):
            if str(note.get("Note_Content") or "").strip() == text.strip():
                return True
        return False

    async def add_task(self, contact_id: str, task: Task) -> str:
        module = await self._reader.module_of(contact_id)
        person = {"id": contact_id}
        body: dict[str, Any] = {"Who_Id": person} if module == "Contacts" else {"What_Id": person, "$se_module": module}
        body["Subject"] = task.title[:255]
        if task.description:
            body["Description"] = task.description
        if task.due_at:
            body["Due_Date"] = task.due_at.date().isoformat()
        if task.owner:
            body["Owner"] = {"id": task.owner}
        return await self._api.add("/Tasks", body, module)

    async def create_list(self, name: str) -> CrmList:
        if len(name) > TAG or re.search("[<>,]", name):
            raise Rejected("name", f"A tag of Zoho CRM has at most {TAG} characters, and no <, > or comma. Shorten it.")
        for module in self._reader.people:
            with self._reader.where_seen(module):
                await self._api.make("tags", module, {"name": name})
        return CrmList(name, name)

    async def in_list(self, list_id: str, contact_ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for module, ids in await self._reader.batches(contact_ids):
            answer = await self._api.ask("GET", f"/{module}", params={"ids": ",".join(ids), "fields": "Tag"})
            for row in answers.rows(answer, "data"):
                if list_id.lower() in [str(tag.get("name")).lower() for tag in answers.inner_rows(row, "Tag")]:
                    found.add(answers.text(row, "id"))
        return found

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        for module, ids in await self._reader.batches(contact_ids):
            body = {"tags": [{"name": list_id}], "ids": ids}
            answer = await self._api.ask("POST", f"/{module}/actions/add_tags", json=body, idempotent=True)
            for item in await self._api.judged(answer, len(ids), module):
                if isinstance(item, Failure):
                    raise item
