"""The SQL of the pages that show the built-in CRM."""

from collections.abc import Sequence

import asyncpg

from addtocrm.core.db.pool import Pool
from addtocrm.crm.contract import Among

TABLE = {"contact": "crm_contacts", "company": "crm_companies"}


async def page(
    pool: Pool, account_id: str, kind: Among, words: Sequence[str], after: str, limit: int
) -> list[asyncpg.Record]:
    """Records of the account that have a word with each of these beginnings, from the one after `after`."""
    query = " & ".join([f"'{account_id}'", *(f"'{word}':*" for word in words)])
    return await pool.fetch(
        f"""select * from {TABLE[kind]}
            where account_id = $1 and id > $2 and ($3 = '' or words @@ $3::tsquery) order by id limit $4""",
        account_id,
        after,
        query if words else "",
        limit,
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
