"""What can be done in the account's active CRM. The rules of sameness and merging: `matching`, `merge`, `writer`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from addtocrm.core import cursors, times
from addtocrm.core.caller import Caller
from addtocrm.core.errors import invalid
from addtocrm.core.idempotency.service import done_before, keep
from addtocrm.crm import beside, finding, mapping, matching, values, writer
from addtocrm.crm.contract import CrmList, Field, Owner, Rule, Task
from addtocrm.crm.kinds import Kind
from addtocrm.crm.model import (
    CompanyResult,
    CompanyWrite,
    Contact,
    NoteResult,
    NoteWrite,
    TaskResult,
    TaskWrite,
)
from addtocrm.crm.opening import Expected, Open, reading, writing
from addtocrm.crm.piece import Piece
from addtocrm.crm.setup import Setup
from addtocrm.crm.telling import tell

T = TypeVar("T")

EXPORT_PAGE = 500


async def upsert_company(
    setup: Setup, caller: Caller, write: CompanyWrite, *, rules: Mapping[Kind, list[Rule] | None] = {}
) -> CompanyResult:
    """Puts a company into the active CRM, once. `rules`, and what it raises, as of `contacts.upsert`."""
    if before := done_before(caller.once, CompanyResult):
        return before
    company = {**values.of_company(write.company), **values.of_custom(write.custom_fields)}
    async with writing(setup, caller.account_id, Expected(write.expected_crm), "company") as crm:
        crm.use(rules)
        name = crm.definition.name
        beside.require(crm, "companies", "company")
        beside.check_custom(crm, company)
        owner = await beside.owner_id(crm, write.owner)
        piece = Piece(kind="company", values=with_owner(company, owner), on_conflict=write.on_conflict)
        if not write.dry_run:
            await crm.hold(crm.locks("company", company))
        await finding.find(crm, [piece], dry_run=write.dry_run)
        if piece.choice.found is None:
            piece.values = with_owner(piece.values, owner or await beside.default_owner_id(crm))
        await writer.write(crm, [piece], dry_run=write.dry_run)
        if piece.failure:
            raise piece.failure
        tell(crm, caller, "company", piece, dry_run=write.dry_run)
        result = CompanyResult(
            name,
            piece.id,
            piece.url,
            piece.action,
            piece.choice.by,
            piece.fields,
            piece.kept,
            piece.sent if write.dry_run else None,
        )
        crm.told.append(lambda db: keep(db, caller.once, result))
    return result


async def add_note(setup: Setup, caller: Caller, write: NoteWrite) -> NoteResult:
    """Writes a note on a contact. Raises ApiError, `not_found` for a contact that there is not."""
    if before := done_before(caller.once, NoteResult):
        return before
    async with writing(setup, caller.account_id, Expected(write.expected_crm)) as crm:
        beside.require(crm, "notes", "")
        note_id = await crm.connector.add_note(write.contact_id, write.text)
        result = NoteResult(crm.definition.name, write.contact_id, note_id)
        crm.told.append(lambda db: keep(db, caller.once, result))
    return result


async def add_task(setup: Setup, caller: Caller, write: TaskWrite) -> TaskResult:
    """Makes a task about a contact. Raises ApiError, `not_found` for a contact that there is not."""
    if before := done_before(caller.once, TaskResult):
        return before
    due_at = _time("due_at", write.due_at) if write.due_at else None
    async with writing(setup, caller.account_id, Expected(write.expected_crm)) as crm:
        beside.require(crm, "tasks", "")
        owner = await beside.owner_id(crm, write.owner) or await beside.default_owner_id(crm)
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
    wanted: dict[str, Any] = {
        **({"email": values.email(email)} if email else {}),
        **({"linkedin_url": values.linkedin_url(linkedin_url)} if linkedin_url else {}),
    }
    async with reading(setup, account_id) as crm:
        after = _after(crm, cursor) if cursor else None
        if wanted:
            by: list[matching.By] = [name for name in matching.PERSON if name in wanted]
            piece = Piece(kind="contact", values=wanted, by=by)
            there = [
                values.contact_of(one)
                for one in sorted(await finding.look(crm, "contact", [piece]), key=lambda one: one.record.id)
                if all(matching.same_key(name, wanted, one.values) for name in wanted) and one.record.id > (after or "")
            ]
        else:
            there = await _page_of_contacts(crm, after, limit + 1)
        more = cursors.encode([crm.id, there[limit - 1].id]) if len(there) > limit else None
    return there[:limit], more


def _after(crm: Open, cursor: str) -> str:
    """The contact that a page before ended with. Raises ApiError for a cursor of another connection."""
    connection, id = cursors.decode(cursor, tuple[str, str])
    if connection != crm.id:
        raise invalid("cursor", "is of another CRM; leave it out to start over.")
    return id


async def all_contacts(setup: Setup, account_id: str) -> AsyncIterator[list[Contact]]:
    """Every contact of the CRM that is active at the first page, page by page, also where another becomes active
    meanwhile; the first page may be empty. Raises ApiError, also where the CRM is disconnected meanwhile."""
    connection = after = None
    while True:
        async with reading(setup, account_id, connection) as crm:
            connection = crm.id
            page = await _page_of_contacts(crm, after, EXPORT_PAGE)
        yield page
        if len(page) < EXPORT_PAGE:
            return
        after = page[-1].id


async def _page_of_contacts(crm: Open, after: str | None, limit: int) -> list[Contact]:
    mapped = await crm.mapped("contact")
    records = await crm.connector.page("contact", after, limit)
    return [values.contact_of(finding.candidate(mapped, one)) for one in records]


async def fields(
    setup: Setup, account_id: str, kind: Kind, cursor: str | None, limit: int
) -> tuple[list[Field], str | None]:
    """A page of the fields that the CRM has for a kind of record, with ours that goes there."""
    async with reading(setup, account_id) as crm:
        require_kind(crm, kind)
        crm.forget()
        rules, known = await crm.mapped(kind)
        return _page(mapping.with_ours(rules, known), cursor, limit)


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


def require_kind(crm: Open, kind: Kind) -> None:
    """Raises ApiError for a kind of record that the CRM does not have."""
    if kind not in crm.definition.mapping:
        raise invalid("object", f"{crm.definition.label} has no {kind}s of its own.")


def with_owner(of: Mapping[str, Any], owner: str | None) -> dict[str, Any]:
    """`of` with its owner, where one is named."""
    return {**of, "owner": owner} if owner else dict(of)


def _page(items: Sequence[T], cursor: str | None, limit: int) -> tuple[list[T], str | None]:
    start = max(0, cursors.decode(cursor, int)) if cursor else 0
    return list(items[start : start + limit]), cursors.encode(start + limit) if len(items) > start + limit else None


def _time(path: str, text: str) -> datetime:
    try:
        return times.parse(text)
    except ValueError:
        raise invalid(path, "must be an ISO 8601 date or time such as 2026-01-31T09:00:00Z.") from None
