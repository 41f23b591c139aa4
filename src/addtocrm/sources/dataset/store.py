"""The SQL of imports: staging, merging, and how far each file has come."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import asyncpg
import msgspec

from addtocrm.core.db.pool import Connection
from addtocrm.core.identifiers import PROFILE, name_key
from addtocrm.core.individuals import Individual, digests
from addtocrm.sources.dataset.joining import EMPLOYMENT, MOST_SHARING, changes, elsewhere, share_a_name
from addtocrm.sources.dataset.model import Kind, Row
from addtocrm.sources.dataset.renamed import belong, join_by_url
from addtocrm.sources.dataset.same_sound import join_by_sound

KEYS: dict[Kind, tuple[str, ...]] = {
    "people": ("email", "name_key", "company_domain", "company_key"),
    "companies": ("domain", "linkedin_url", "name_key"),
}


FILE_CLASS = 1096041287
"""Advisory locks: the file that is being imported."""

MERGE_LOCK = (1096041288, 0)
"""One chunk is merged at a time: two of the same people would wait for each other's rows."""

LISTED = "select count(*) from suppressions"
"""How long the suppression list is, which only grows."""

SUPPRESSIONS_LOCK = (1096041286, 0)
"""That of the SQL function `suppression_lock`."""

FREE_SECONDS = 10
"""How long the lock of an import that was killed may be kept: until its last statement is done."""

PEOPLE_LOCK = (1096041289, 0)
"""That of the SQL function `people_changed`: who forgets somebody takes it before the rows, too."""

CHUNK_SECONDS = 600.0


class Merged(NamedTuple):
    """How many rows of the file brought somebody new, said something new, said nothing new, and were left out as those
    of people who asked to be forgotten."""

    created: int
    updated: int
    unchanged: int
    suppressed: int


Several = Mapping[str, Sequence[Row]]
"""The rows of the file for which a staged one (by its id) stands, where they are more than one."""

SESSION = """
    set local work_mem = '64MB';
    set local enable_hashjoin = off; set local enable_mergejoin = off; set local enable_seqscan = off
"""
"""For a chunk: it is sorted in memory, and its rows are found by indexes, not by reading all people."""


SHARING = f"""
    select s.id, s.identity, s.name_key, s.data ->> 'full_name' as full_name,
        p.id as person, p.identity as known, p.name_key as known_key, p.data ->> 'full_name' as known_name
    from staging s, lateral (
        select id, identity, name_key, data from people
        where split_part(email, '@', 2) = split_part(s.email, '@', 2) and email = s.email
        limit {MOST_SHARING + 1}
    ) as p
    where left(s.identity, length($1)) = $1 and exists (
        select from people o where split_part(o.email, '@', 2) = split_part(s.email, '@', 2) and o.email = s.email
            and o.identity <> s.identity and left(o.identity, length($2)) = $2)
"""
"""The staged rows whose identity begins with $1, each beside the stored people with their email address, where one of
those has another identity that begins with $2."""


@asynccontextmanager
async def one_at_a_time(connection: Connection, digest: bytes) -> AsyncIterator[bool]:
    """Whether nobody else imports the file of this digest; nobody does so until the block ends or this process."""
    lock = (FILE_CLASS, int.from_bytes(digest[:4], "big", signed=True))
    try:
        async with connection.transaction():
            await connection.execute(f"set local lock_timeout = '{FREE_SECONDS}s'")
            await connection.execute("select pg_advisory_lock($1, $2)", *lock)
    except asyncpg.LockNotAvailableError:
        yield False
        return
    try:
        yield True
    finally:
        if not connection.is_closed():
            await connection.execute("select pg_advisory_unlock($1, $2)", *lock)


async def progress(connection: Connection, fingerprint: str) -> asyncpg.Record | None:
    """How far an unfinished import of the same file has come."""
    return await connection.fetchrow(
        "select * from imports where fingerprint = $1 and finished_at is null", fingerprint
    )


async def begin(connection: Connection, fingerprint: str, kind: Kind, file: str) -> asyncpg.Record:
    row = await connection.fetchrow(
        """insert into imports (fingerprint, kind, file) values ($1, $2, $3)
           on conflict (fingerprint) do update set rows = 0, created = 0, updated = 0, unchanged = 0, refused = 0,
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
               unchanged = unchanged + $5, suppressed = suppressed + $6, refused = refused + $7,
               rejected_bytes = rejected_bytes + $8
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


class ForgottenMeanwhile(Exception):
    """Somebody is, or was, put on the suppression list while a chunk was merged."""


async def merge(
    connection: Connection,
    kind: Kind,
    rows: Sequence[tuple[str | None, ...]],
    several: Several,
    *,
    hold_suppressions: bool,
) -> Merged:
    """Puts rows of (id, identity, *KEYS, JSON data) into the table, in the transaction of `connection`.

    A field that a row does not have stays as it is, and a row that says nothing new is not written. What is counted
    are rows of the file. With `hold_suppressions` who is to be forgotten waits for the end of the transaction; without,
    nobody waits, and ForgottenMeanwhile may be raised: then nothing must be committed.
    """
    if not rows:
        return Merged(0, 0, 0, 0)
    keys = KEYS[kind]
    if hold_suppressions:  # First, as who opens the list does.
        await connection.execute("select suppression_lock()", timeout=CHUNK_SECONDS)
    await connection.execute("select pg_advisory_xact_lock($1, $2)", *MERGE_LOCK, timeout=CHUNK_SECONDS)
    listed = 0
    if kind == "people":
        await connection.execute("select pg_advisory_xact_lock($1, $2)", *PEOPLE_LOCK, timeout=CHUNK_SECONDS)
        listed = await connection.fetchval(LISTED)
    await connection.execute(SESSION)
    columns = ", ".join(f"{key} text" for key in keys)
    await connection.execute(
        f"create temporary table staging (id text, identity text, {columns}, data jsonb) on commit drop"
    )
    await connection.copy_records_to_table("staging", records=rows, columns=("id", "identity", *keys, "data"))
    suppressed, joined = 0, [await join_by_sound(connection, kind, rows)]
    if kind == "people":
        if listed:
            suppressed = sum(len(several.get(id, (id,))) for id in await _leave_out_suppressed(connection, rows))
        staged = {identity or "": id or "" for id, identity, *_ in rows}
        joined += [await join_by_url(connection, staged), await _join_by_email(connection)]
    rounds = 1
    if any(joined):
        rounds = await connection.fetchval(
            "select coalesce(max(rows), 1) from (select count(*) as rows from staging group by identity) as identities"
        )
    created = updated = 0
    for turn in range(1, rounds + 1):
        new, old = await _write(connection, kind, turn if rounds > 1 else None, several)
        created, updated = created + new, updated + old
    if kind == "people" and not await _is_still(connection, listed):
        raise ForgottenMeanwhile
    counted = len(rows) + sum(len(some) - 1 for some in several.values())
    return Merged(created, updated, counted - suppressed - created - updated, suppressed)


async def _join_by_email(connection: Connection) -> bool:
    """A row without a URL is the one stored person with its email address whose name may be the same; who was known by
    the address only gains the URL of a staged row. Gives whether staged rows have changed: two may be one now."""
    gained = await _one_sharing(connection, "in:", "em:")
    await connection.execute(
        """update people p set identity = g.identity from unnest($1::text[], $2::text[]) as g (person, identity)
           where p.id = g.person and not exists (select from people q where q.identity = g.identity)""",
        [row["person"] for row in gained],
        [row["identity"] for row in gained],
        timeout=CHUNK_SECONDS,
    )
    owned = await _one_sharing(connection, "em:", "")
    await belong(connection, {row["id"]: row["known"] for row in owned})
    return bool(owned)


async def _one_sharing(connection: Connection, identity: str, known: str) -> list[asyncpg.Record]:
    """Of the rows that SHARING gives, those of staged rows beside which one stored person may be the same, whose
    identity begins with `known`. An address that more than MOST_SHARING have tells nobody."""
    beside: dict[str, list[asyncpg.Record]] = {}
    for row in await connection.fetch(SHARING, identity, known, timeout=CHUNK_SECONDS):
        beside.setdefault(row["id"], []).append(row)
    found: list[asyncpg.Record] = []
    for rows in beside.values():
        few = rows if len(rows) <= MOST_SHARING else []
        same = [
            row
            for row in few
            if share_a_name((row["name_key"], row["full_name"]), (row["known_key"], row["known_name"]))
        ]
        found += [row for row in same if len(same) == 1 and row["known"].startswith(known)]
    return found


async def _is_still(connection: Connection, listed: int) -> bool:
    """Whether the suppression list is as long as before, and stays so until the transaction ends. It waits for nobody:
    who is forgetting somebody may wait for rows of this transaction."""
    if not await connection.fetchval("select pg_try_advisory_xact_lock_shared($1, $2)", *SUPPRESSIONS_LOCK):
        return False
    await connection.execute("select suppression_check()")
    return listed == await connection.fetchval(LISTED)


async def _leave_out_suppressed(connection: Connection, rows: Sequence[tuple[str | None, ...]]) -> list[str]:
    """Takes people who asked to be forgotten out of the staged rows; gives the ids of those."""
    about = [
        (id, digest)
        for id, identity, email, name, _, _, data in rows
        for digest in digests(_known(identity, email, name, data))
    ]
    gone = await connection.fetch(
        """delete from staging where id in (
               select id from unnest($1::text[], $2::bytea[]) as about (id, digest)
               join suppressions on hash = suppression_hash(digest))
           returning id""",
        [id for id, _ in about],
        [digest for _, digest in about],
        timeout=CHUNK_SECONDS,
    )
    return [row["id"] for row in gone]


class Others(msgspec.Struct):
    """What the data of a row have of a person's identifiers and names beside the columns."""

    full_name: str = ""
    first_name: str = ""
    last_name: str = ""
    emails: list[dict[str, str]] = []
    former_linkedin_urls: list[str] = []


def _known(identity: str | None, email: str | None, name: str | None, data: str | None) -> list[Individual]:
    """Whom a staged row is about, once under each name that it has; its columns have canonical forms."""
    kind, _, slug = (identity or "").partition(":")
    others = msgspec.json.decode(data or "{}", type=Others)
    emails = [email, *(entry["email"] for entry in others.emails[1:])]
    names = {name or "", name_key(others.full_name), name_key(f"{others.first_name} {others.last_name}")}
    return [
        Individual(
            PROFILE + slug if kind == "in" else None,
            frozenset(one for one in emails if one),
            name,
            frozenset(others.former_linkedin_urls),
        )
        for name in names
    ]


async def _write(connection: Connection, kind: Kind, turn: int | None, several: Several) -> tuple[int, int]:
    """Inserts the staged rows that are new and updates those that say something new; of rows with one identity only
    the `turn`-th, where there are several. Gives how many rows of the file brought somebody and how many something."""
    names = KEYS[kind]
    keys = ", ".join(names)
    source = "staging"
    if turn is not None:
        numbered = "select *, row_number() over (partition by identity order by id) as turn from staging"
        source = f"(select * from ({numbered}) as numbered where turn = {turn})"
    news = " or ".join(f"{value} is distinct from t.{name}" for name, value in _merged(kind, "s").items())
    told = f"{source} as s left join {kind} as t on t.identity = s.identity where (t.identity is null or {news})"
    later = await _later(connection, told, names, several) if several else 0
    if kind == "people":
        await _end_employments(connection, source)
    counts = await connection.fetchrow(
        f"""with merged as (
                insert into {kind} as t (id, identity, {keys}, data)
                select s.id, s.identity, {", ".join(f"s.{key}" for key in names)}, s.data
                from {told}
                order by s.identity
                on conflict (identity) do update
                    set observed_at = now(),
                        {", ".join(f"{name} = {value}" for name, value in _merged(kind, "excluded").items())}
                returning (xmax = 0) as created)
            select count(*) filter (where created)::int as created,
                   count(*) filter (where not created)::int as updated from merged""",
        timeout=CHUNK_SECONDS,
    )
    assert counts is not None
    return counts["created"], counts["updated"] + later


async def _end_employments(connection: Connection, source: str) -> None:
    """Of those who are with another employer in the rows of `source`, what belongs to the old employment goes."""
    rows = await connection.fetch(
        f"""select t.id, t.data -> 'company' as before, s.data -> 'company' as now
            from {source} as s join people as t on t.identity = s.identity
            where s.data ? 'company' and t.data ? 'company'
                and (s.company_domain, s.company_key, s.data #>> '{{company,name}}')
                    is distinct from (t.company_domain, t.company_key, t.data #>> '{{company,name}}')""",
        timeout=CHUNK_SECONDS,
    )
    decode = msgspec.json.decode
    moved = [row["id"] for row in rows if elsewhere(decode(row["before"]), decode(row["now"]))]
    if moved:
        await connection.execute(
            """update people set data = data - $2::text[], company_domain = null, company_key = null
               where id = any($1)""",
            moved,
            EMPLOYMENT,
            timeout=CHUNK_SECONDS,
        )


async def _later(connection: Connection, told: str, names: Sequence[str], several: Several) -> int:
    """How many rows of the file say something new beside the first that does so about the same one; `told` is the SQL
    of the staged rows that will be written, with what is stored of each."""
    stored = await connection.fetch(
        f"""select s.id, t.identity, {", ".join(f"t.{name}" for name in names)}, t.data
            from {told} and s.id = any($1::text[])""",
        list(several),
        timeout=CHUNK_SECONDS,
    )
    return sum(max(changes(_row(row, names), several[row["id"]]) - 1, 0) for row in stored)


def _row(stored: asyncpg.Record, names: Sequence[str]) -> Row | None:
    """What is stored of one, if anything is."""
    if stored["identity"] is None:
        return None
    return Row(stored["identity"], tuple(stored[name] for name in names), msgspec.json.decode(stored["data"]))


def _merged(kind: Kind, row: str) -> dict[str, str]:
    """SQL of each column of a stored row t into which `row` is merged: what `row` says counts, if it says anything."""
    merged = {"data": f"t.data || {row}.data", **{key: f"coalesce({row}.{key}, t.{key})" for key in KEYS[kind]}}
    if kind == "people":
        merged["data"] = f"merged_person(t.data, {row}.data)"
    return merged
