"""The SQL of the pages that show the built-in CRM."""

from collections.abc import Sequence

import asyncpg

from addtocrm.core.db.pool import Pool
from addtocrm.crm.kinds import Among

TABLE = {"contact": "crm_contacts", "company": "crm_companies"}


LOOKED_AT = 1000
"""Records that are looked through for words before the index of words is asked."""


async def page(
    pool: Pool, account_id: str, kind: Among, words: Sequence[str], after: str, limit: int
) -> list[asyncpg.Record]:
    """Records of the account that have a word with each of these beginnings, from the one after `after`. Words that
    many have are soon found in the order of ids, others by their index; nothing tells beforehand which they are."""
    table = TABLE[kind]
    if not words:
        return await pool.fetch(
            f"select * from {table} where account_id = $1 and id > $2 order by id limit {limit}", account_id, after
        )
    query = " & ".join([f"'{account_id}'", *(f"'{word}':*" for word in words)])
    found = await pool.fetch(
        f"""with looked as materialized (
                select * from {table} where account_id = $1 and id > $2 order by id limit {LOOKED_AT}
            )
            select * from looked where words @@ $3::tsquery order by id limit {limit}""",
        account_id,
        after,
        query,
    )
    if len(found) == limit:
        return found
    return await pool.fetch(
        f"""with found as materialized (
                select id from {table} where account_id = $1 and id > $2 and words @@ $3::tsquery
            )
            select * from {table} where id = any(array(select id from found order by id limit {limit})) order by id""",
        account_id,
        after,
        query,
    )


async def one(pool: Pool, account_id: str, kind: Among, id: str) -> asyncpg.Record | None:
    return await pool.fetchrow(f"select * from {TABLE[kind]} where account_id = $1 and id = $2", account_id, id)


async def contacts_of(pool: Pool, account_id: str, company_id: str, after: str, limit: int) -> list[asyncpg.Record]:
    return await pool.fetch(
        """select * from crm_contacts where account_id = $1 and company_id = $2 and id > $3 order by id limit $4""",
        account_id,
        company_id,
        after,
        limit,
    )


async def notes(pool: Pool, contact_id: str, limit: int) -> list[asyncpg.Record]:
    """The latest notes on a contact."""
    return await pool.fetch(
        "select text, created_at from crm_notes where contact_id = $1 order by id desc limit $2", contact_id, limit
    )


async def tasks(pool: Pool, contact_id: str, limit: int) -> list[asyncpg.Record]:
    """The latest tasks about a contact."""
    return await pool.fetch(
        """select title, description, due_at, created_at from crm_tasks where contact_id = $1
           order by id desc limit $2""",
        contact_id,
        limit,
    )
