"""The SQL of the suppression list, and of every place where a person may be spoken of."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import asyncpg
import msgspec

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.individuals import digest
from addtocrm.privacy.model import FORGOTTEN, FORGOTTEN_ERROR

LOCK = (1096041286, 0)
"""Held shared (`suppression_lock()`) by those who read the list for what they are about to write."""

PEOPLE_LOCK = (1096041289, 0)

SECONDS = 600.0
"""For one statement: a person may be in very many rows."""

GONE = """'{"forgotten": true}'::json"""

ROWS: Mapping[str, str] = {
    "people": "select id, '', array[data::text, json_build_object('email', email)::text] from people",
    "results": """select json_build_array(account_id, operation, lookup_key)::text, account_id, array[data::text]
        from results""",
    "list_members": """select id, (select account_id from lists l where l.id = list_id), array[person::text]
        from list_members""",
    "crm_contacts": """select id, account_id, array[json_build_object('linkedin_url', linkedin_url, 'email', email,
            'emails', other_emails, 'full_name', full_name)::text] from crm_contacts""",
    "job_items": """select json_build_array(job_id, position)::text,
            (select account_id from jobs j where j.id = job_id), array[input::text, result::text] from job_items""",
    "events": "select json_build_array(account_id, inserted, id)::text, account_id, array[data::text] from events",
    "events_outbox": "select id, account_id, array[data::text] from events_outbox",
}
"""The rows of each place: (key, account_id or '' for the operator's own data, JSON documents)."""

SPOKEN_OF: Mapping[str, str] = {
    place: f"{rows} where subjects && $1"
    if place != "people"
    else f"""{rows} where identity = any($1)
           or (split_part(email, '@', 2) = any($3) and email = any($2))
           or (jsonb_path_exists(data, '$.emails[1]')
               and jsonb_path_query_array(data, '$.emails[*].email') ?| $2)
           or (data ? 'former_linkedin_urls' and data -> 'former_linkedin_urls' ?| $4)"""
    for place, rows in ROWS.items()
}
"""How each place finds the rows of a person by an index (the outbox has the events of half a second). $1 are digests of
identifiers; for the people table identities, then $2 addresses, $3 their domains and $4 LinkedIn URLs."""

PLACES: Mapping[str, str] = {
    "people": "delete from people where id = any($1)",
    "results": """delete from results r using unnest($1::text[]) as k
        where (account_id, operation, lookup_key) = (k::json->>0, k::json->>1, k::json->>2)""",
    "list_members": "delete from list_members where id = any($1)",
    "crm_contacts": "delete from crm_contacts where id = any($1)",
    "job_items": f"""update job_items set input = '"{FORGOTTEN}"', result = null, subjects = null,
            error = '{msgspec.json.encode(FORGOTTEN_ERROR).decode()}'
        from unnest($1::text[]) as k where (job_id, position) = (k::json->>0, (k::json->>1)::int)""",
    "events": f"""update events e set data = {GONE}, subjects = null from unnest($1::text[]) as k
        where (account_id, inserted, id) = (k::json->>0, (k::json->>1)::timestamptz, k::json->>2)""",
    "events_outbox": f"update events_outbox set data = {GONE}, subjects = null where id = any($1)",
}
"""What is done with the rows of a person in each place; $1 are their keys."""

LOCK_LISTS = """select from lists where id in (select list_id from list_members where id = any($1)) order by id
    for no key update"""
"""Who changes a list locks it before its members."""

SUPPRESSED = """exists (
    select from unnest(subjects) as digest where suppression_hash(digest) in (select hash from suppressions))"""

DROP_ANSWERS = "delete from idempotency where subjects && $1"
DROP_ANSWERS_OF_SUPPRESSED = f"delete from idempotency where {SUPPRESSED}"

MENTIONS = """
    select n.account_id, 'crm_notes' as place, n.id from crm_notes n where mentions && $1
    union all select account_id, 'crm_tasks', id from crm_tasks where mentions && $1
    union all select account_id, 'crm_contacts', id from crm_contacts where mentions && $1
    union all select account_id, 'crm_companies', id from crm_companies where mentions && $1
    union all select (select account_id from lists l where l.id = list_id), 'list_members', id from list_members
        where mentions && $1
"""


async def lock_exclusively(connection: Connection) -> None:
    await connection.execute("select pg_advisory_xact_lock($1, $2)", *LOCK)


async def hold_people(connection: Connection) -> None:
    """Until the transaction ends no import writes people: it takes this lock (that of the SQL function
    `people_changed`) before their rows, too."""
    await connection.execute("select pg_advisory_xact_lock($1, $2)", *PEOPLE_LOCK, timeout=SECONDS)


async def hold_feed(connection: Connection) -> None:
    """Until the transaction ends no event goes from the outbox to the feed, where it could be missed in both."""
    await connection.execute("select last from events_clock order by last desc limit 1 for update")


async def key(connection: Connection) -> asyncpg.Record | None:
    return await connection.fetchrow("select sealed, fingerprint from suppression_key")


async def put_key(connection: Connection, sealed: bytes, fingerprint: bytes) -> None:
    await connection.execute(
        """insert into suppression_key (sealed, fingerprint) values ($1, $2)
           on conflict (single) do update set sealed = excluded.sealed, fingerprint = excluded.fingerprint""",
        sealed,
        fingerprint,
    )


async def use(connection: Connection, settings: Mapping[str, str]) -> None:
    """Gives the transaction the settings that a pool's sessions are opened with."""
    for name, value in settings.items():
        await connection.execute("select set_config($1, $2, true)", name, value)


async def rehash(connection: Connection, table: str = "suppressions") -> None:
    """Keys the hashes of a list that was made without a key. Such a list is from before IDNA 2008, so each of its
    hashes is there also as what `Individual.formerly` asks for."""
    await connection.execute(
        f"""with plain as (delete from {table} returning hash, added_at)
            insert into {table} (hash, added_at)
            select suppression_hash(digest), added_at from plain, lateral unnest(
                array[hash, sha256(convert_to('formerly:' || encode(hash, 'hex'), 'UTF8'))]) as digest"""
    )


async def has_carried(connection: Connection) -> bool:
    """Whether a restore has set aside the list of the database that it replaced."""
    return await connection.fetchval("select to_regclass('carried.suppressions') is not null")


async def carried_key(connection: Connection) -> asyncpg.Record | None:
    """As `key`, of the list that was set aside; None where it was made without one."""
    if not await connection.fetchval("select to_regclass('carried.suppression_key') is not null"):
        return None
    return await connection.fetchrow("select sealed, fingerprint from carried.suppression_key")


async def take_carried(connection: Connection) -> None:
    """Adds the list that was set aside, whose hashes have our key, to ours."""
    await connection.execute(
        """insert into suppressions (hash, added_at) select hash, added_at from carried.suppressions
           on conflict do nothing;
           drop schema carried cascade"""
    )


async def anybody(connection: Connection) -> bool:
    return await connection.fetchval("select exists (select from suppressions)")


async def any_token(connection: Connection) -> bool:
    """Whether a CRM's token is stored, which only the right key file opens."""
    return await connection.fetchval("select exists (select from crm_connections where secret is not null)")


async def suppressed(connection: Connection | Pool, digests: Sequence[bytes]) -> set[bytes]:
    """Those of `digests` that are on the list; nobody is added to it until the transaction ends."""
    rows = await connection.fetch("select digest from suppressed_among($1) as digest", digests)
    return {row["digest"] for row in rows}


async def add(connection: Connection, digests: Sequence[bytes]) -> None:
    await connection.execute(
        """insert into suppressions (hash) select suppression_hash(digest) from unnest($1::bytea[]) as digest
           on conflict do nothing""",
        digests,
    )


async def rows_of_suppressed(connection: Connection, place: str) -> list[str]:
    """The keys of the rows of a place with `subjects` that speak of somebody on the list. Reads all of the place."""
    rows = await connection.fetch(
        f"select key from ({ROWS[place]} where {SUPPRESSED}) as found (key, account_id, documents)"
    )
    return [row["key"] for row in rows]


async def all_rows(connection: Connection, place: str, at_once: int = 2000) -> AsyncIterator[list[asyncpg.Record]]:
    """(key, account_id, documents) of every row of a place, some at a time."""
    cursor = await connection.cursor(f"select * from ({ROWS[place]}) as found (key, account_id, documents)")
    while rows := await cursor.fetch(at_once):
        yield rows


async def speaking_of(connection: Connection, identifiers: Sequence[str]) -> list[asyncpg.Record]:
    """(place, key, account_id, documents) of every row that speaks of somebody with one of `identifiers`."""
    rows: list[asyncpg.Record] = []
    for place, statement in SPOKEN_OF.items():
        rows += await connection.fetch(
            f"select '{place}' as place, * from ({statement}) as found (key, account_id, documents)",
            *arguments(place, identifiers),
            timeout=SECONDS,
        )
    return rows


def arguments(place: str, identifiers: Sequence[str]) -> tuple[Sequence[object], ...]:
    """What the statement of `SPOKEN_OF[place]` takes."""
    if place != "people":
        return ([digest(one) for one in identifiers],)
    emails = [one.removeprefix("email:") for one in identifiers if one.startswith("email:")]
    urls = [one.removeprefix("linkedin:") for one in identifiers if one.startswith("linkedin:")]
    identities = [f"in:{url.rpartition('/')[2]}" for url in urls] + [f"em:{email}" for email in emails]
    return identities, emails, [email.rpartition("@")[2] for email in emails], urls


async def clear(connection: Connection, place: str, keys: Iterable[str]) -> int:
    """Takes a person's rows out of `place`; gives how many there were."""
    keys = sorted(keys)
    if place == "list_members":
        await connection.execute(LOCK_LISTS, keys, timeout=SECONDS)
    done = await connection.execute(PLACES[place], keys, timeout=SECONDS)
    return int(done.rpartition(" ")[2])


async def drop_answers(connection: Connection, digests: Sequence[bytes] | None = None) -> int:
    """Drops the answers kept for repeats that speak of people with these `digests`, else of all who are on the list,
    for which it reads all; gives how many."""
    done = await connection.execute(
        DROP_ANSWERS if digests is not None else DROP_ANSWERS_OF_SUPPRESSED,
        *([list(digests)] if digests is not None else []),
        timeout=SECONDS,
    )
    return int(done.rpartition(" ")[2])


async def drop_links(connection: Connection, digests: Sequence[bytes] | None = None) -> int:
    """Forgets which records of CRMs are those of people with these `digests`, else of all who are on the list."""
    found = (
        "identity = any($1)" if digests is not None else "suppression_hash(identity) in (select hash from suppressions)"
    )
    done = await connection.execute(
        f"""with theirs as (select connection_id, kind, person, record_id from crm_links where {found})
            delete from crm_links l using theirs t
            where (l.connection_id, l.kind) = (t.connection_id, t.kind)
              and (l.person = t.person or l.record_id = t.record_id)""",
        *([list(digests)] if digests is not None else []),
        timeout=SECONDS,
    )
    return int(done.rpartition(" ")[2])


async def mentions(connection: Connection, digests: Sequence[bytes]) -> list[asyncpg.Record]:
    """(account_id, place, id) of the rows whose free texts mention somebody with one of `digests`."""
    return await connection.fetch(MENTIONS, digests, timeout=SECONDS)
