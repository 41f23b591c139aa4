"""The SQL of the suppression list, and of every place where a person may be mentioned."""

from collections.abc import Sequence

import asyncpg

from addtocrm.db.pool import Connection

LOCK = (1096041286, 0)
"""Held shared (`suppression_lock()`) by those who read the list for what they are about to write."""

CLEAR_SECONDS = 3600.0
"""For one table, which is read from end to end."""

GONE = """'{"forgotten": true}'::json"""

PLACES = {
    "people": "delete from people where lower(email) = any($2) or lower(data::text) ~ $3",
    "results": "delete from results where lower(lookup_key) = any($1 || $2) or lower(data::text) ~ $3",
    "list_members": "delete from list_members where lower(person::text) ~ $3",
    "crm_contacts": """delete from crm_contacts
        where linkedin_url = any($1) or lower(email) = any($2)
           or exists (select from unnest(other_emails) as other where lower(other) = any($2))""",
    "job_items": """update job_items set input = '"(forgotten)"', result = null,
            error = '{"type": "not_found", "message": "This person asked to be forgotten."}'
        where lower(concat(input::text, result::text)) ~ $3""",
    "events": f"update events set data = {GONE} where lower(data::text) ~ $3",
    "events_outbox": f"update events_outbox set data = {GONE} where lower(data::text) ~ $3",
    "idempotency": """delete from idempotency
        where lower(concat(convert_from(body, 'UTF8'), outcome::text)) ~ $3""",
}
"""What is done in each table; $1 are LinkedIn URLs, $2 addresses in lower case, $3 is a pattern of both."""


async def lock_exclusively(connection: Connection) -> None:
    await connection.execute("select pg_advisory_xact_lock($1, $2)", *LOCK)


async def suppressed(connection: Connection, hashes: Sequence[bytes]) -> set[bytes]:
    """Those of `hashes` that are on the list; nobody is added to it until the transaction ends."""
    await connection.execute("select suppression_lock()")
    rows = await connection.fetch("select hash from suppressions where hash = any($1)", hashes)
    return {row["hash"] for row in rows}


async def add(connection: Connection, hashes: Sequence[bytes]) -> None:
    await connection.execute(
        "insert into suppressions (hash) select unnest($1::bytea[]) on conflict do nothing", hashes
    )


async def known_as(connection: Connection, urls: Sequence[str], emails: Sequence[str]) -> list[asyncpg.Record]:
    """(linkedin_url, emails) of the people of the dataset with one of these."""
    return await connection.fetch(
        """select data->>'linkedin_url' as linkedin_url,
                  array(select jsonb_path_query(data, '$.emails[*].email') #>> '{}') || email as emails
           from people where data->>'linkedin_url' = any($1) or lower(email) = any($2)""",
        urls,
        emails,
        timeout=CLEAR_SECONDS,
    )


async def clear(connection: Connection, urls: Sequence[str], emails: Sequence[str], pattern: str) -> dict[str, int]:
    """Takes the person out of every place; gives how many rows of each it was in."""
    counts: dict[str, int] = {}
    for place, statement in PLACES.items():
        done = await connection.execute(
            f"with given as (select $1::text[], $2::text[], $3::text) {statement}",
            urls,
            emails,
            pattern,
            timeout=CLEAR_SECONDS,
        )
        counts[place] = int(done.rpartition(" ")[2])
    return counts
