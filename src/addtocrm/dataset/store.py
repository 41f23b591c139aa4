"""The SQL of imports: staging, merging, and how far each file has come."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import asyncpg

from addtocrm.dataset.model import Kind
from addtocrm.db.pool import Connection

KEYS: dict[Kind, tuple[str, ...]] = {
    "people": ("email", "name_key", "company_domain", "company_key"),
    "companies": ("domain", "linkedin_url", "name_key"),
}


class Merged(NamedTuple):
    """How many rows were new, were updated, and were left out as those of people who asked to be forgotten."""

    created: int
    updated: int
    suppressed: int


# A row without a URL is the one person with its e-mail; who was known by e-mail only gains the URL.
SAME_PERSON = (
    """update people p set identity = s.identity from staging s
       where s.identity like 'in:%' and p.identity = 'em:' || s.email
         and not exists (select from people q where q.identity = s.identity)""",
    """update staging s set identity = p.identity from people p
       where s.identity like 'em:%' and split_part(p.email, '@', 2) = split_part(s.email, '@', 2) and p.email = s.email
         and (select count(*) from people q
              where split_part(q.email, '@', 2) = split_part(s.email, '@', 2) and q.email = s.email) = 1""",
)


async def progress(connection: Connection, fingerprint: str) -> asyncpg.Record | None:
    """How far an unfinished import of the same file has come."""
    return await connection.fetchrow(
        "select * from imports where fingerprint = $1 and finished_at is null", fingerprint
    )


async def begin(connection: Connection, fingerprint: str, kind: Kind, file: str) -> asyncpg.Record:
    row = await connection.fetchrow(
        """insert into imports (fingerprint, kind, file) values ($1, $2, $3)
           on conflict (fingerprint) do update set rows = 0, created = 0, updated = 0, refused = 0,
               suppressed = 0, rejected_bytes = 0, started_at = now(), finished_at = null
           returning *""",
        fingerprint,
        kind,
        file,
    )
    assert row is not None
    return row


async def advance(
    connection: Connection, fingerprint: str, chunk_rows: int, merged: Merged, refused: int, rejected_bytes: int
) -> asyncpg.Record:
    """Adds a chunk to how far the file has come; gives that."""
    row = await connection.fetchrow(
        """update imports set rows = rows + $2, created = created + $3, updated = updated + $4,
               suppressed = suppressed + $5, refused = refused + $6, rejected_bytes = rejected_bytes + $7
           where fingerprint = $1 returning *""",
        fingerprint,
        chunk_rows,
        *merged,
        refused,
        rejected_bytes,
    )
    assert row is not None
    return row


async def finish(connection: Connection, fingerprint: str) -> None:
    await connection.execute("update imports set finished_at = now() where fingerprint = $1", fingerprint)


async def merge(connection: Connection, kind: Kind, rows: Sequence[tuple[str | None, ...]]) -> Merged:
    """Puts rows of (id, identity, *KEYS, JSON data) into the table, in the transaction of `connection`.

    A field that a row does not have stays as it is.
    """
    if not rows:
        return Merged(0, 0, 0)
    keys = KEYS[kind]
    columns = ", ".join(f"{key} text" for key in keys)
    await connection.execute("set local work_mem = '64MB'")  # a chunk is sorted in memory
    await connection.execute(
        f"""create temporary table staging (id text, identity text, {columns}, data text) on commit drop"""
    )
    await connection.copy_records_to_table("staging", records=rows, columns=("id", "identity", *keys, "data"))
    rounds, suppressed = 1, 0
    if kind == "people":
        suppressed = await _leave_out_suppressed(connection)
        done = [await connection.execute(statement) for statement in SAME_PERSON]
        if done[-1] != "UPDATE 0":
            rounds = await connection.fetchval(
                "select max(rows) from (select count(*) as rows from staging group by identity) as identities"
            )
    created = updated = 0
    for turn in range(1, rounds + 1):
        new, old = await _insert(connection, kind, turn if rounds > 1 else None)
        created, updated = created + new, updated + old
    return Merged(created, updated, suppressed)


async def _leave_out_suppressed(connection: Connection) -> int:
    """Takes people who asked to be forgotten out of the staged rows; gives how many."""
    await connection.execute("select suppression_lock()")
    if not await connection.fetchval("select exists (select from suppressions)"):
        return 0
    done = await connection.fetch(
        """with left_out as (
               select s.ctid from staging s join suppressions x
                   on x.hash = sha256(convert_to('email:' || lower(s.email), 'UTF8'))
               union
               select s.ctid from staging s join suppressions x
                   on x.hash = sha256(convert_to('linkedin:' || (s.data::json->>'linkedin_url'), 'UTF8')))
           delete from staging where ctid in (select ctid from left_out) returning 1"""
    )
    return len(done)


async def _insert(connection: Connection, kind: Kind, turn: int | None) -> tuple[int, int]:
    """Merges the staged rows; of those with one identity only the `turn`-th, where there are several."""
    keys = ", ".join(KEYS[kind])
    source = "staging"
    if turn is not None:
        numbered = "select *, row_number() over (partition by identity order by id) as turn from staging"
        source = f"({numbered}) as numbered where turn = {turn}"
    counts = await connection.fetchrow(
        f"""with merged as (
                insert into {kind} as t (id, identity, {keys}, data)
                select id, identity, {keys}, data::jsonb from {source} order by identity
                on conflict (identity) do update
                    set data = t.data || excluded.data, observed_at = now(), {_updates(KEYS[kind])}
                returning (xmax = 0) as created)
            select count(*) filter (where created)::int as created,
                   count(*) filter (where not created)::int as updated from merged"""
    )
    assert counts is not None
    return counts["created"], counts["updated"]


def _updates(keys: Iterable[str]) -> str:
    return ", ".join(f"{key} = coalesce(excluded.{key}, t.{key})" for key in keys)
