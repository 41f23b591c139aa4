"""What can be done in the account's active CRM. The rules of sameness and merging: `matching`, `merge`, `writer`."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from addtocrm.core import cursors, times
from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Connection
from addtocrm.core.errors import invalid
from addtocrm.core.idempotency.service import done_before, keep
from addtocrm.crm import matching, values, writer
from addtocrm.crm.connections import OpenForWriting, reading, writing
from addtocrm.crm.contract import CrmList, Field, Kind, Owner, Task, Values
from addtocrm.crm.merge import left_behind, of_employment
from addtocrm.crm.model import (
    CompanyResult,
    CompanyWrite,
    Contact,
    ContactWrite,
    NoteResult,
    NoteWrite,
    TaskResult,
    TaskWrite,
    WriteResult,
)
from addtocrm.crm.setup import Setup
from addtocrm.events import service as events
from addtocrm.events.model import EventType
from addtocrm.privacy.service import subjects

T = TypeVar("T")

EXPORT_PAGE = 500
TO_BE_MADE = "(new)"


async def upsert_contact(setup: Setup, caller: Caller, write: ContactWrite, *, bulk: bool = False) -> WriteResult:
    """Puts a person into the active CRM, once, with their company, and tells what was written and what kept.

    Raises ApiError: `validation_error`, `crm_not_connected` and what the CRM answers (`crm_…`, `not_found`).
    """
    if before := done_before(caller.once, WriteResult):
        return before
    person = {**values.of_person(write.person), **values.of_custom(write.custom_fields)}
    company = values.company_of_person(write.person, write.company)
    if not any(name in company for name in ("name", *matching.KEYS["company"])):
        company = {}
    if write.company and company:
        person |= {f"company_{name}": company[name] for name in ("name", "domain") if name in company}
    emails = [person.get("email"), *person.get("other_emails", ())]
    about = subjects(person.get("linkedin_url"), emails, person.get("full_name", ""))
    async with writing(setup, caller.account_id, write.expected_crm, "person", about, bulk=bulk) as crm:
        name = crm.definition.name
        if "companies" not in crm.definition.capabilities:
            company = {}
        if write.note:
            writer.require(crm, "notes", "note")
        await writer.check_custom(crm, "contact", person)
        owner = await writer.owner_id(crm, write.owner)
        if not write.dry_run:
            locks = matching.locks(caller.account_id, name, "contact", person)
            await crm.hold(locks + matching.locks(caller.account_id, name, "company", company))
        choice = await writer.find(crm, "contact", person)
        there: Values = choice.record.values if choice.record else {}
        company_id = there.get("company_id")
        moves = matching.elsewhere(person, there)
        if moves and write.on_conflict == "fill_empty":
            choice = choice._replace(taken=choice.taken | of_employment(person))
            company = {}
        kept_company = company_id and write.on_conflict != "overwrite" and not write.company
        if company and not kept_company and not (choice.record and write.on_conflict == "skip"):
            found = await writer.find(crm, "company", company)
            with_owner = _and(company, owner=owner if found.record is None else None)
            done = await writer.write(crm, "company", found, with_owner, write.on_conflict, dry_run=write.dry_run)
            _tell(crm, caller, "company", done, write.dry_run)
            person["company_id"] = done.id or TO_BE_MADE
        written = await writer.write(
            crm,
            "contact",
            choice,
            _and(person, owner=owner),
            write.on_conflict,
            empty=left_behind(there, person) if moves and write.on_conflict == "overwrite" else (),
            dry_run=write.dry_run,
        )
        linked = person.get("company_id") if "company_id" in written.fields else company_id
        linked = None if linked in (None, TO_BE_MADE) else str(linked)
        _tell(crm, caller, "contact", written, write.dry_run, company_id=linked)
        if write.list and written.action != "skipped":
            await writer.put_on_list(crm, write.list, written, dry_run=write.dry_run)
        if write.note and written.action != "skipped":
            await writer.attach_note(crm, write.note, written, dry_run=write.dry_run)
        result = WriteResult(name, written.id, linked, written.url, written.action, written.fields, written.kept)
        crm.told.append(lambda db: keep(db, caller.once, result))
    return result


async def upsert_company(setup: Setup, caller: Caller, write: CompanyWrite) -> CompanyResult:
    """Puts a company into the active CRM, once. Raises ApiError as `upsert_contact`."""
    if before := done_before(caller.once, CompanyResult):
        return before
    company = {**values.of_company(write.company), **values.of_custom(write.custom_fields)}
    async with writing(setup, caller.account_id, write.expected_crm, "company") as crm:
        name = crm.definition.name
        writer.require(crm, "companies", "company")
        await writer.check_custom(crm, "company", company)
        owner = await writer.owner_id(crm, write.owner)
        if not write.dry_run:
            await crm.hold(matching.locks(caller.account_id, name, "company", company))
        choice = await writer.find(crm, "company", company)
        written = await writer.write(
            crm, "company", choice, _and(company, owner=owner), write.on_conflict, dry_run=write.dry_run
        )
        _tell(crm, caller, "company", written, write.dry_run)
        result = CompanyResult(name, written.id, written.url, written.action, written.fields, written.kept)
        crm.told.append(lambda db: keep(db, caller.once, result))
    return result


async def add_note(setup: Setup, caller: Caller, write: NoteWrite) -> NoteResult:
    """Writes a note on a contact. Raises ApiError, `not_found` for a contact that there is not."""
    if before := done_before(caller.once, NoteResult):
        return before
    async with writing(setup, caller.account_id, write.expected_crm) as crm:
        writer.require(crm, "notes", "")
        note_id = await crm.connector.add_note(write.contact_id, write.text)
        result = NoteResult(crm.definition.name, write.contact_id, note_id)
        crm.told.append(lambda db: keep(db, caller.once, result))
    return result


async def add_task(setup: Setup, caller: Caller, write: TaskWrite) -> TaskResult:
    """Makes a task about a contact. Raises ApiError, `not_found` for a contact that there is not."""
    if before := done_before(caller.once, TaskResult):
        return before
    due_at = _time("due_at", write.due_at) if write.due_at else None
    async with writing(setup, caller.account_id, write.expected_crm) as crm:
        writer.require(crm, "tasks", "")
        owner = await writer.owner_id(crm, write.owner)
        task = Task(write.title, write.description, due_at, owner)
        task_id = await crm.connector.add_task(write.contact_id, task)
        result = TaskResult(crm.definition.name, write.contact_id, task_id)
        crm.told.append(lambda db: keep(db, caller.once, result))
    return result


async def contacts(
    setup: Setup,
    account_id: str,
    *,
    email: str | None = None,
    linkedin_url: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[Contact], str | None]:
    """A page of the contacts with this e-mail and this LinkedIn URL (of all, where neither is given)."""
    wanted = {
        **({"email": values.email(email)} if email else {}),
        **({"linkedin_url": values.linkedin_url(linkedin_url)} if linkedin_url else {}),
    }
    after = cursors.decode(cursor, str) if cursor else None
    async with reading(setup, account_id) as crm:
        if wanted:
            records = [
                one
                for one in sorted(await crm.connector.find("contact", wanted), key=lambda one: one.id)
                if all(matching.key(name, one.values) == matching.key(name, wanted) for name in wanted)
                and one.id > (after or "")
            ]
        else:
            records = await crm.connector.page("contact", after, limit + 1)
    more = cursors.encode(records[limit - 1].id) if len(records) > limit else None
    return [values.contact_of(one) for one in records[:limit]], more


async def all_contacts(setup: Setup, account_id: str) -> AsyncIterator[list[Contact]]:
    """Every contact of the active CRM, page by page; the first page may be empty. Raises ApiError."""
    after = None
    while True:
        async with reading(setup, account_id) as crm:
            records = await crm.connector.page("contact", after, EXPORT_PAGE)
        yield [values.contact_of(one) for one in records]
        if len(records) < EXPORT_PAGE:
            return
        after = records[-1].id


async def fields(
    setup: Setup, account_id: str, kind: Kind, cursor: str | None, limit: int
) -> tuple[list[Field], str | None]:
    """A page of the fields that the CRM has for contacts or companies."""
    async with reading(setup, account_id) as crm:
        return _page(await crm.connector.fields(kind), cursor, limit)


async def owners(setup: Setup, account_id: str, cursor: str | None, limit: int) -> tuple[list[Owner], str | None]:
    """A page of those who can own records of the CRM."""
    async with reading(setup, account_id) as crm:
        known = await crm.connector.owners() if "owners" in crm.definition.capabilities else []
        return _page(known, cursor, limit)


async def lists(setup: Setup, account_id: str, cursor: str | None, limit: int) -> tuple[list[CrmList], str | None]:
    """A page of the CRM's lists."""
    async with reading(setup, account_id) as crm:
        known = await crm.connector.lists() if "lists" in crm.definition.capabilities else []
        return _page(known, cursor, limit)


def _tell(
    crm: OpenForWriting, caller: Caller, kind: Kind, written: writer.Written, dry_run: bool, **more: str | None
) -> None:
    """Tells the feed of what was written, as it stands when the work is over."""
    types: dict[tuple[str, str], EventType] = {
        ("contact", "created"): "crm.contact.created",
        ("contact", "updated"): "crm.contact.updated",
        ("company", "created"): "crm.company.created",
        ("company", "updated"): "crm.company.updated",
    }

    async def tell(db: Connection) -> None:
        event = types.get((kind, written.action))
        if event is None:
            return
        data = {
            "crm": crm.definition.name,
            f"{kind}_id": written.id,
            **more,
            "url": written.url,
            "fields_written": written.fields,
        }
        await events.append(db, caller.account_id, event, caller.actor, caller.request_id, data)

    if not dry_run:
        crm.told.append(tell)


def _and(of: Mapping[str, Any], *, owner: str | None) -> dict[str, Any]:
    return {**of, "owner": owner} if owner else dict(of)


def _page(items: list[T], cursor: str | None, limit: int) -> tuple[list[T], str | None]:
    start = max(0, cursors.decode(cursor, int)) if cursor else 0
    return items[start : start + limit], cursors.encode(start + limit) if len(items) > start + limit else None


def _time(path: str, text: str) -> datetime:
    try:
        return times.parse(text)
    except ValueError:
        raise invalid(path, "is an ISO 8601 date or time such as 2026-01-31T09:00:00Z.") from None
