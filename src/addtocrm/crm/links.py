"""What was written to a CRM before: by what the person or company was known, and which record it is.

A CRM's search may be behind its writes, it may have no place for a LinkedIn URL, and people's addresses change. A link
without a record is an attempt: a record that the CRM was asked to make, of which no answer came yet. One of the name
`update` is a change that it was asked for. Both have the fields that were sent, until the answer comes.

Links are those of one connection. What others have just written into the same account of the CRM is looked at as if the
search had found it already, and judged by what the CRM itself says of it: nobody learns what others know beyond that.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import asyncpg

from addtocrm.core.individuals import digest
from addtocrm.crm import store
from addtocrm.crm.contract import Record, Update
from addtocrm.crm.kinds import Kind
from addtocrm.crm.matching import By, Candidate, Identity, among
from addtocrm.crm.opening import OpenForWriting

UPDATE = "update"


class Link(NamedTuple):
    """`record_id` is None of an attempt, which began `age` seconds ago with these `fields`."""

    name: By
    record_id: str | None
    record_kind: Kind | None
    age: float
    fields: Sequence[str] = ()


async def recall(crm: OpenForWriting, kind: Kind, identities: Sequence[Identity]) -> dict[bytes, Link]:
    """The links by these identities, by their digests."""
    if crm.pool is None or not identities:
        return {}
    rows = await store.recall(crm.pool, crm.id, among(kind), [one.digest for one in identities])
    return _links(rows) | {one.digest: crm.recent[one.digest] for one in identities if one.digest in crm.recent}


async def of_others(crm: OpenForWriting, kind: Kind, identities: Sequence[Identity]) -> dict[bytes, Link]:
    """What others wrote, by these identities, since the CRM's search is sure to know of it."""
    if crm.pool is None or not identities:
        return {}
    wanted = [one.digest for one in identities]
    rows = await store.recall_of_others(crm.pool, crm.id, among(kind), wanted, crm.unsettled_seconds)
    return _links(rows)


def _links(rows: Sequence[asyncpg.Record]) -> dict[bytes, Link]:
    return {
        row["identity"]: Link(row["name"], row["record_id"], row["record_kind"], row["age"], _fields(row))
        for row in rows
    }


def _fields(row: asyncpg.Record) -> Sequence[str]:
    return store.json_of(row, "fields") if row["fields"] else ()


async def remembered(crm: OpenForWriting, kind: Kind, found: Sequence[Candidate]) -> list[Candidate]:
    """The candidates with what is known of them beside what they say: see Candidate."""
    if crm.pool is None or not found:
        return list(found)
    urls: dict[str, set[bytes]] = {}
    for one, link in _recent(crm, kind):
        if link.name == "linkedin_url":
            urls.setdefault(str(link.record_id), set()).add(one)
    changing: dict[str, Sequence[str]] = {}
    ids = [one.record.id for one in found]
    for row in await store.linked_by(crm.pool, crm.id, among(kind), ["linkedin_url", UPDATE], ids):
        if row["name"] == UPDATE:
            changing[row["record_id"]] = _fields(row)
        else:
            urls.setdefault(row["record_id"], set()).add(row["identity"])
    return [
        one._replace(
            urls=frozenset[bytes]() if one.values.get("linkedin_url") else urls.get(one.record.id, frozenset[bytes]()),
            changing=frozenset(changing.get(one.record.id, ())),
        )
        for one in found
    ]


async def urls_of_attempts(crm: OpenForWriting, kind: Kind, known: Mapping[bytes, Link]) -> dict[bytes, set[bytes]]:
    """The digests of the LinkedIn URLs of whom the attempts by a name were for, by that name's."""
    names = [one for one, link in known.items() if link.name == "name" and link.record_id is None]
    found: dict[bytes, set[bytes]] = {}
    if crm.pool is not None and names:
        for row in await store.attempted_by(crm.pool, crm.id, among(kind), "linkedin_url", names):
            found.setdefault(row["attempt"], set()).add(row["identity"])
    return found


async def claimed(crm: OpenForWriting, kind: Kind, ids: Sequence[str]) -> set[str]:
    """Those of the records that somebody is known to be, by this connection or another to the same account."""
    recent = {link.record_id for _, link in _recent(crm, kind)}
    rows = await store.linked(crm.pool, crm.id, among(kind), ids) if crm.pool is not None and ids else []
    return {id for id in ids if id in recent} | {row["record_id"] for row in rows}


def attempts(known: Mapping[bytes, Link], digests: Sequence[bytes]) -> list[Link]:
    """The attempts among what is known by these."""
    return [known[one] for one in digests if one in known and known[one].record_id is None]


async def attempt(crm: OpenForWriting, kind: Kind, people: Sequence[tuple[Sequence[Identity], Sequence[str]]]) -> None:
    """Notes that the CRM is about to be asked to make records, each known by these, with these fields."""
    rows = [
        (one.digest, one.name, None, None, known_by[0].digest, fields)
        for known_by, fields in people
        for one in known_by
    ]
    if crm.pool is not None and rows:
        await store.link(crm.pool, crm.id, among(kind), rows)


async def change(crm: OpenForWriting, kind: Kind, updates: Sequence[tuple[Update, Sequence[Identity]]]) -> None:
    """Notes that the CRM is about to be asked to change records, each known by these."""
    rows = [
        (_change_of(one.record), UPDATE, one.record.id, one.record.kind, known_by[0].digest, list(one.changes))
        for one, known_by in updates
        if known_by
    ]
    if crm.pool is not None and rows:
        await store.link(crm.pool, crm.id, among(kind), rows)


async def unchange(crm: OpenForWriting, kind: Kind, records: Sequence[Record]) -> None:
    """Forgets changes that were not made for certain."""
    if crm.pool is not None and records:
        await store.unlink(crm.pool, crm.id, among(kind), pending=[_change_of(one) for one in records])


def _change_of(record: Record) -> bytes:
    return digest(f"{among(record.kind)} {UPDATE} {record.id}")


def keep(
    crm: OpenForWriting, kind: Kind, records: Sequence[tuple[Record, Sequence[Identity]]], changed: Sequence[Record]
) -> None:
    """Notes which records these are, and that some were `changed`, when the feed is told of them: an attempt lasts
    until then."""
    if crm.pool is None:
        return
    links = [
        (one.digest, Link(one.name, record.id, record.kind, 0.0), known_by[0].digest)
        for record, known_by in records
        for one in known_by
    ]
    crm.recent.update({one: link for one, link, _ in links})
    rows = [(one, link.name, link.record_id, link.record_kind, of, None) for one, link, of in links]
    if rows:
        crm.told.append(lambda db: store.link(db, crm.id, among(kind), rows))
    answered = [_change_of(one) for one in changed]
    if answered:
        crm.told.append(lambda db: store.unlink(db, crm.id, among(kind), pending=answered))


async def drop(crm: OpenForWriting, kind: Kind, ids: Sequence[str] = (), attempts: Sequence[Identity] = ()) -> None:
    """Forgets links to records that are gone, and attempts that failed for certain."""
    for one, link in _recent(crm, kind):
        if link.record_id in ids:
            del crm.recent[one]
    if crm.pool is not None and (ids or attempts):
        await store.unlink(crm.pool, crm.id, among(kind), ids=ids, pending=[one.digest for one in attempts])


async def part(crm: OpenForWriting, kind: Kind, identities: Sequence[Identity], ids: Collection[str]) -> None:
    """Forgets that these are records that are gone: a new one can be attempted."""
    digests = [one.digest for one in identities]
    for one, link in _recent(crm, kind):
        if one in digests and link.record_id in ids:
            del crm.recent[one]
    if crm.pool is not None and digests:
        await store.part(crm.pool, crm.id, among(kind), digests, list(ids))


def _recent(crm: OpenForWriting, kind: Kind) -> list[tuple[bytes, Link]]:
    """The links of this work to records of a kind: others may have the same ids."""
    known: list[tuple[bytes, Link]] = list(crm.recent.items())
    return [(one, link) for one, link in known if link.record_kind and among(link.record_kind) == among(kind)]
