"""Putting people on a list, each once: what takes long is done before the list is locked."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import asyncpg
import msgspec

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.ids import new_id
from addtocrm.core.individuals import digests
from addtocrm.crm.model import PersonInput
from addtocrm.events import service as events
from addtocrm.events.model import EventType
from addtocrm.lists import store
from addtocrm.lists.changing import changing
from addtocrm.lists.who import Entry, Known, Members, entry_of, known_of
from addtocrm.privacy.service import all_suppressed

AT_ONCE = 1000
"""Rows of one statement."""


class Forgotten(Exception):
    """People at these `places` asked to be forgotten; nobody was added."""

    def __init__(self, places: Sequence[int]) -> None:
        super().__init__(places)
        self.places = places


class Candidate(NamedTuple):
    """Somebody to be put on a list: as a list knows them, whom that is about, and their JSON."""

    entry: Entry
    about: Sequence[bytes]
    person: str


class Added(NamedTuple):
    """The member that each candidate is, and how many of these are new."""

    ids: list[str]
    fresh: int


def candidate(person: PersonInput, path: str) -> Candidate:
    """Raises ApiError for a person of whom there is nothing to know them by."""
    entry = entry_of(person, path)
    given = {name: value for name, value in msgspec.to_builtins(person).items() if value not in (None, [])}
    return Candidate(entry, digests([entry.who]), msgspec.json.encode(given).decode())


async def known_members(pool: Pool, id: str, people: Sequence[Candidate]) -> dict[str, Known]:
    """Whom the members are that `people` may be, by their ids, so that `adding` need not find out."""
    async with pool.acquire() as connection, connection.transaction():
        rows = await _rows(connection, id, people)
    return await asyncio.to_thread(lambda: {row["id"]: known_of(row["person"]) for row in rows})


@asynccontextmanager
async def adding(
    pool: Pool, caller: Caller, id: str, people: Sequence[Candidate], known: Mapping[str, Known] = {}
) -> AsyncGenerator[tuple[Connection, Added]]:
    """A transaction that puts people on a list; who is on it stays as they are.

    Raises ApiError `not_found`, and Forgotten at its end: until the commit whoever forgets somebody waits, so that is
    looked at last.
    """
    async with changing(pool, caller.account_id, id) as (connection, _):
        yield connection, await _put(connection, caller, id, people, known)
        if gone := await all_suppressed(connection, [one.about for one in people]):
            raise Forgotten(gone)


async def _put(
    connection: Connection, caller: Caller, id: str, people: Sequence[Candidate], known: Mapping[str, Known]
) -> Added:
    rows = await _rows(connection, id, people)
    ids, fresh = await asyncio.to_thread(_chosen, people, rows, known)
    for first in range(0, len(fresh), AT_ONCE):
        some = fresh[first : first + AT_ONCE]
        await store.add(connection, id, some)
        told: list[tuple[EventType, dict[str, str]]] = [
            ("list.member.added", {"list_id": id, "member_id": member_id}) for member_id, *_ in some
        ]
        await events.append_many(connection, caller.account_id, caller.actor, caller.request_id, told)
    return Added(ids, len(fresh))


async def _rows(connection: Connection, id: str, people: Sequence[Candidate]) -> list[asyncpg.Record]:
    """The members that `people` may be."""
    found: dict[str, asyncpg.Record] = {}
    for first in range(0, len(people), AT_ONCE):
        entries = [one.entry for one in people[first : first + AT_ONCE]]
        emails = [one.email for one in entries if one.email]
        identities = list({identity for one in entries for identity in (one.identity, one.exact)})
        found |= {row["id"]: row for row in await store.known(connection, id, identities, emails)}
    return list(found.values())


def _chosen(
    people: Sequence[Candidate], rows: Sequence[asyncpg.Record], known: Mapping[str, Known]
) -> tuple[list[str], list[store.NewMember]]:
    """Which member each of `people` is, and those of them who are new."""
    there = Members(rows, known)
    ids: list[str] = []
    fresh: list[store.NewMember] = []
    for entry, about, person in people:
        member_id = there.find(entry)
        if member_id is None:
            member_id = new_id("mem")
            fresh.append((member_id, there.put(member_id, entry), entry.email, person, about or None))
        ids.append(member_id)
    return ids, fresh
