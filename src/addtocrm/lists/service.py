"""The rules of lists: the same person is on a list once."""

from collections.abc import Sequence

import asyncpg
import msgspec
from msgspec import UNSET

from addtocrm import cursors, identifiers
from addtocrm.crm import connections
from addtocrm.crm.model import PersonInput
from addtocrm.db.ids import new_id
from addtocrm.db.pool import Connection, Pool
from addtocrm.errors import ApiError, invalid
from addtocrm.events import service as events
from addtocrm.events.model import EventType
from addtocrm.idempotency.service import done_before, keep
from addtocrm.jobs import service as jobs
from addtocrm.jobs.model import Job
from addtocrm.lists import store
from addtocrm.lists.model import AddedMembers, ChangedList, Member, NewList, PeopleList, Push
from addtocrm.lookups.model import Caller
from addtocrm.suppressions.service import first_suppressed, subjects
from addtocrm.times import rfc3339

PUSH = "lists.push"


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


async def get(pool: Pool, account_id: str, id: str) -> PeopleList:
    """A list of the account. Raises ApiError `not_found`."""
    return await _get(pool, account_id, id)


async def change(pool: Pool, caller: Caller, id: str, changed: ChangedList) -> PeopleList:
    """Renames a list or describes it. Raises ApiError `not_found`."""
    async with pool.acquire() as connection, connection.transaction():
        row = await _lock(connection, caller.account_id, id)
        name = row["name"] if changed.name is UNSET else changed.name.strip()
        description = row["description"] if changed.description is UNSET else changed.description
        if (name, description) != (row["name"], row["description"]):
            await store.update(connection, id, name, description)
            await _tell(connection, caller, "list.updated", {"id": id, "name": name})
        return await _get(connection, caller.account_id, id)


async def delete(pool: Pool, caller: Caller, id: str) -> None:
    """Deletes a list with its members' places on it. Raises ApiError `not_found`."""
    async with pool.acquire() as connection, connection.transaction():
        row = await _lock(connection, caller.account_id, id)
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


async def add(pool: Pool, caller: Caller, id: str, people: Sequence[PersonInput]) -> AddedMembers:
    """Puts people on a list; who is on it stays as they are.

    The same person: the same LinkedIn URL, else (where one of the two has none) the same e-mail, else the same
    name at the same company. Raises ApiError `not_found`, `validation_error` (with the person's place).
    """
    if before := done_before(caller.once, AddedMembers):
        return before
    keys = [_keys(person, f"people[{position}]") for position, person in enumerate(people)]
    async with pool.acquire() as connection, connection.transaction():
        await _lock(connection, caller.account_id, id)
        place = await first_suppressed(
            connection, [_subjects(*key, person) for key, person in zip(keys, people, strict=True)]
        )
        if place is not None:
            raise invalid(f"people[{place}]", "asked to be forgotten; nobody was added.")
        emails = [email for _, email in keys if email]
        known = await store.known(connection, id, [identity for identity, _ in keys], emails)
        index = _Index(known)
        fresh: list[tuple[str, str, str | None, str]] = []
        places: list[str] = []
        for (identity, email), person in zip(keys, people, strict=True):
            member_id = index.find(identity, email)
            if member_id is None:
                member_id = new_id("mem")
                index.put(member_id, identity, email)
                fresh.append((member_id, identity, email, _encode(person)))
            places.append(member_id)
        rows = [*known, *(await store.add(connection, id, fresh) if fresh else [])]
        shown = {row["id"]: _member(row) for row in rows}
        told: list[tuple[EventType, dict[str, str]]] = [
            ("list.member.added", {"list_id": id, "member_id": member_id}) for member_id, *_ in fresh
        ]
        if told:
            await events.append_many(connection, caller.account_id, caller.actor, caller.request_id, told)
        added = AddedMembers(len(fresh), len(people) - len(fresh), [shown[place] for place in places])
        await keep(connection, caller.once, added)
    return added


async def remove(pool: Pool, caller: Caller, id: str, member_id: str) -> None:
    """Takes a member off a list. Raises ApiError `not_found`."""
    async with pool.acquire() as connection, connection.transaction():
        await _lock(connection, caller.account_id, id)
        if not await store.remove(connection, id, member_id):
            raise ApiError("not_found", f"There is no member {member_id} on this list.")
        await _tell(connection, caller, "list.member.removed", {"list_id": id, "member_id": member_id})


async def push(pool: Pool, caller: Caller, id: str, options: Push) -> Job:
    """A job that writes the list's people to the CRM. Raises ApiError `not_found`, `crm_not_connected`,
    `validation_error` (another CRM is active than expected)."""
    if before := done_before(caller.once, Job):
        return before
    await _get(pool, caller.account_id, id)
    active = await connections.info(pool, caller.account_id)
    if options.expected_crm is not None and options.expected_crm != active.crm:
        raise invalid("expected_crm", f"the active CRM is {active.crm}; nothing was written.")
    async with pool.acquire() as connection, connection.transaction():
        return await jobs.create_selected(connection, caller, PUSH, "lists", options, store.MEMBERS_TO_PUSH, id)


class _Index:
    """Who is on a list, by identity and by e-mail."""

    def __init__(self, rows: Sequence[asyncpg.Record]) -> None:
        self._by_identity: dict[str, str] = {}
        self._by_email: dict[str, list[tuple[str, str]]] = {}
        for row in rows:
            self.put(row["id"], row["identity"], row["email"])

    def put(self, member_id: str, identity: str, email: str | None) -> None:
        self._by_identity[identity] = member_id
        if email:
            self._by_email.setdefault(email, []).append((member_id, identity))

    def find(self, identity: str, email: str | None) -> str | None:
        if identity in self._by_identity:
            return self._by_identity[identity]
        has_url = identity.startswith("in:")
        same = [
            member_id
            for member_id, other in self._by_email.get(email or "", [])
            if not (has_url and other.startswith("in:"))
        ]
        return same[0] if len(same) == 1 else None


def _keys(person: PersonInput, path: str) -> tuple[str, str | None]:
    """A person's identity and e-mail. Raises ApiError where there is nothing to know them by."""
    field = "linkedin_url"
    try:
        url = identifiers.person_url(person.linkedin_url) if person.linkedin_url else None
        field = "email"
        email = identifiers.email(person.email) if person.email else None
    except ValueError as error:
        raise invalid(f"{path}.{field}", str(error)) from None
    if url:
        return "in:" + url.rpartition("/")[2], email
    if email:
        return "em:" + email, email
    name = identifiers.name_key(person.full_name or f"{person.first_name or ''} {person.last_name or ''}")
    if not name:
        raise invalid(path, "needs a LinkedIn URL, an e-mail or a name.")
    company = person.company
    where = person.company_domain or (company and company.domain)
    name_of = person.company_name or (company and company.name) or ""
    return f"nc:{name}|{where.lower() if where else identifiers.company_key(name_of)}", None


def _subjects(identity: str, email: str | None, person: PersonInput) -> list[bytes]:
    """Whom the suppression list would know the person as."""
    url = identifiers.PROFILE + identity.removeprefix("in:") if identity.startswith("in:") else None
    return subjects(url, [email, *(entry.email for entry in person.emails or ())])


def _encode(person: PersonInput) -> str:
    known = {name: value for name, value in msgspec.to_builtins(person).items() if value not in (None, [])}
    return msgspec.json.encode(known).decode()


async def _get(connection: Connection | Pool, account_id: str, id: str) -> PeopleList:
    row = await store.get(connection, account_id, id)
    if row is None:
        raise _unknown(id)
    return _list(row)


async def _lock(connection: Connection, account_id: str, id: str) -> asyncpg.Record:
    row = await store.lock(connection, account_id, id)
    if row is None:
        raise _unknown(id)
    return row


def _unknown(id: str) -> ApiError:
    return ApiError("not_found", f"There is no list {id}; GET /v1/lists shows them.")


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
    return Member(row["id"], rfc3339(row["added_at"]), msgspec.json.decode(row["person"]))
