"""The rules of lists: the same person is on a list once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256

import asyncpg
import msgspec
from msgspec import UNSET

from addtocrm.core import cursors
from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.idempotency.service import done_before, keep
from addtocrm.core.ids import new_id
from addtocrm.core.times import rfc3339
from addtocrm.crm.batch import expected
from addtocrm.crm.model import PersonInput
from addtocrm.events import service as events
from addtocrm.events.model import EventType
from addtocrm.jobs import service as jobs
from addtocrm.jobs.model import Job
from addtocrm.lists import store
from addtocrm.lists.adding import Candidate, Forgotten, adding, candidate
from addtocrm.lists.changing import changing, unknown
from addtocrm.lists.model import AddedMembers, ChangedList, ListChoice, Member, NewList, PeopleList, Push, PushOptions
from addtocrm.privacy.service import mentions

PUSH = "lists.push"
FORGOTTEN = "asked to be forgotten; nobody was added."
PAGE = 500


class Changed(Exception):
    """Somebody changed it meanwhile; nothing was written."""


async def create(pool: Pool, caller: Caller, new: NewList) -> PeopleList:
    """A new, empty list."""
    if before := done_before(caller.once, PeopleList):
        return before
    id = new_id("lst")
    async with pool.acquire() as connection, connection.transaction():
        await store.insert(connection, id, caller.account_id, new.name.strip(), new.description)
        await _tell(connection, caller, "list.created", {"id": id, "name": new.name.strip()})
        made = await _get(connection, caller.account_id, id)
        await keep(connection, caller.once, made)
    return made


async def page(pool: Pool, account_id: str, cursor: str | None, limit: int) -> tuple[list[PeopleList], str | None]:
    """A page of an account's lists, oldest first, and the cursor of the next."""
    rows = await store.page(pool, account_id, cursors.decode(cursor, str) if cursor else "", limit + 1)
    shown = [_list(row) for row in rows[:limit]]
    return shown, cursors.encode(shown[-1].id) if len(rows) > limit else None


async def choices(pool: Pool, account_id: str) -> list[ListChoice]:
    """All lists of an account to choose from, the newest first."""
    return [ListChoice(row["id"], row["name"]) for row in await store.choices(pool, account_id)]


async def get(pool: Pool, account_id: str, id: str) -> PeopleList:
    """A list of the account. Raises ApiError `not_found`."""
    return await _get(pool, account_id, id)


async def change(pool: Pool, caller: Caller, id: str, changed: ChangedList, version: str | None = None) -> PeopleList:
    """Renames a list or describes it. Raises ApiError `not_found`, and Changed where a `version` is given, the list's
    `updated_at`, and it is not of that any more."""
    async with changing(pool, caller.account_id, id) as (connection, row):
        if version is not None and version != rfc3339(row["updated_at"]):
            raise Changed
        name = row["name"] if changed.name is UNSET else changed.name.strip()
        description = row["description"] if changed.description is UNSET else changed.description
        if (name, description) != (row["name"], row["description"]):
            await store.update(connection, id, name, description)
            await _tell(connection, caller, "list.updated", {"id": id, "name": name})
        return await _get(connection, caller.account_id, id)


async def delete(pool: Pool, caller: Caller, id: str) -> None:
    """Deletes a list with its members' places on it. Raises ApiError `not_found`."""
    async with changing(pool, caller.account_id, id) as (connection, row):
        await store.delete(connection, id)
        await _tell(connection, caller, "list.deleted", {"id": id, "name": row["name"]})


async def members(
    pool: Pool, account_id: str, id: str, cursor: str | None, limit: int
) -> tuple[list[Member], str | None]:
    """A page of a list's members, in the order of their coming. Raises ApiError `not_found`."""
    await _get(pool, account_id, id)
    rows = await store.members(pool, id, cursors.decode(cursor, str) if cursor else "", limit + 1)
    shown = [_member(row) for row in rows[:limit]]
    return shown, cursors.encode(shown[-1].id) if len(rows) > limit else None


async def all_members(pool: Pool, account_id: str, id: str) -> AsyncIterator[list[Member]]:
    """A list's members, page by page; the first page may be empty. Raises ApiError `not_found`."""
    await _get(pool, account_id, id)
    after = ""
    while True:
        page = [_member(row) for row in await store.members(pool, id, after, PAGE)]
        yield page
        if len(page) < PAGE:
            return
        after = page[-1].id


async def add(pool: Pool, caller: Caller, id: str, people: Sequence[PersonInput]) -> AddedMembers:
    """Puts people on a list; who is on it (`who`) stays as they are.

    Raises ApiError `not_found`, `validation_error` (with the person's place).
    """
    if before := done_before(caller.once, AddedMembers):
        return before
    candidates = await asyncio.to_thread(_candidates, people)
    try:
        async with adding(pool, caller, id, candidates) as (connection, (ids, fresh)):
            shown = {row["id"]: _member(row) for row in await store.some(connection, id, ids)}
            added = AddedMembers(fresh, len(ids) - fresh, [shown[one] for one in ids])
            await keep(connection, caller.once, added)
    except Forgotten as error:
        raise invalid(f"people[{error.places[0]}]", FORGOTTEN) from None
    return added


def _candidates(people: Sequence[PersonInput]) -> list[Candidate]:
    return [candidate(person, f"people[{place}]") for place, person in enumerate(people)]


async def annotate(
    pool: Pool, caller: Caller, id: str, member_id: str, note: str | None, version: str | None = None
) -> Member:
    """Notes something about a member, in place of what was noted. Raises ApiError `not_found`, and Changed where a
    `version` is given and the note there is not of that any more."""
    text = (note or "").replace("\0", "").strip() or None
    async with changing(pool, caller.account_id, id) as (connection, _):
        if version is not None and version != version_of(await store.note(connection, id, member_id)):
            raise Changed
        row = await store.annotate(connection, id, member_id, text, mentions(text) or None)
        if row is None:
            raise _no_member(member_id)
        return _member(row)


def version_of(note: str | None) -> str:
    """What tells one note from another."""
    return sha256((note or "").encode()).hexdigest()[:16]


async def remove(pool: Pool, caller: Caller, id: str, member_id: str) -> None:
    """Takes a member off a list. Raises ApiError `not_found`."""
    async with changing(pool, caller.account_id, id) as (connection, _):
        if not await store.remove(connection, id, member_id):
            raise _no_member(member_id)
        await _tell(connection, caller, "list.member.removed", {"list_id": id, "member_id": member_id})


async def push(pool: Pool, caller: Caller, id: str, options: Push) -> Job:
    """A job that writes the list's people to the CRM. Raises ApiError `not_found`, `crm_not_connected`,
    `validation_error` (another CRM is active than expected)."""
    if before := done_before(caller.once, Job):
        return before
    await _get(pool, caller.account_id, id)
    target = await expected(pool, caller.account_id, options.expected_crm)
    kept = PushOptions(options.on_conflict, options.owner, options.list, target.crm, target.connection)
    async with pool.acquire() as connection, connection.transaction():
        return await jobs.create_selected(connection, caller, PUSH, "lists", kept, store.MEMBERS_TO_PUSH, id)


async def _get(connection: Connection | Pool, account_id: str, id: str) -> PeopleList:
    row = await store.get(connection, account_id, id)
    if row is None:
        raise unknown(id)
    return _list(row)


def _no_member(id: str) -> ApiError:
    return ApiError("not_found", f"There is no member {id} on this list.")


async def _tell(connection: Connection, caller: Caller, type: EventType, told: dict[str, str]) -> None:
    await events.append(connection, caller.account_id, type, caller.actor, caller.request_id, told)


def _list(row: asyncpg.Record) -> PeopleList:
    return PeopleList(
        row["id"],
        row["name"],
        row["description"],
        row["members"],
        rfc3339(row["created_at"]),
        rfc3339(row["updated_at"]),
    )


def _member(row: asyncpg.Record) -> Member:
    return Member(row["id"], rfc3339(row["added_at"]), msgspec.json.decode(row["person"]), row["note"])
