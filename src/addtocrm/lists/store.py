"""The SQL of lists."""

from collections.abc import Sequence
from typing import TypeAlias

import asyncpg

from addtocrm.core.db.pool import Connection, Pool

NewMember: TypeAlias = tuple[str, str, str | None, str, Sequence[bytes] | None]
"""(id, identity, email, JSON person, whom it is about)."""

LIST = "select id, name, description, created_at, updated_at, members from lists l"

MEMBERS_TO_PUSH = """select id as place, json_build_object('member_id', id, 'person', person) as input, subjects
                     from list_members where list_id = $1"""


async def insert(connection: Connection, id: str, account_id: str, name: str, description: str | None) -> None:
    await connection.execute(
        "insert into lists (id, account_id, name, description) values ($1, $2, $3, $4)",
        id,
        account_id,
        name,
        description,
    )


async def get(connection: Connection | Pool, account_id: str, id: str) -> asyncpg.Record | None:
    return await connection.fetchrow(f"{LIST} where l.account_id = $1 and l.id = $2", account_id, id)


async def page(pool: Pool, account_id: str, after: str, limit: int) -> list[asyncpg.Record]:
    return await pool.fetch(
        f"{LIST} where l.account_id = $1 and l.id > $2 order by l.id limit $3", account_id, after, limit
    )


async def choices(pool: Pool, account_id: str) -> list[asyncpg.Record]:
    return await pool.fetch("select id, name from lists where account_id = $1 order by id desc", account_id)


async def lock(connection: Connection, account_id: str, id: str) -> asyncpg.Record | None:
    """The list, its row locked: changes of one list follow each other."""
    return await connection.fetchrow(
        "select id, name, description, updated_at from lists where account_id = $1 and id = $2 for no key update",
        account_id,
        id,
    )


async def update(connection: Connection, id: str, name: str, description: str | None) -> None:
    await connection.execute(
        "update lists set name = $2, description = $3, updated_at = now() where id = $1",
        id,
        name,
        description,
    )


async def delete(connection: Connection, id: str) -> None:
    await connection.execute("delete from lists where id = $1", id)


async def known(
    connection: Connection, list_id: str, identities: Sequence[str], emails: Sequence[str]
) -> list[asyncpg.Record]:
    """Members with one of the identities or e-mails; in a transaction."""
    # A plan for any number of them compares each member with each.
    await connection.execute("set local plan_cache_mode = force_custom_plan")
    return await connection.fetch(
        """select id, identity, email, person from list_members
           where list_id = $1 and (identity = any($2::text[]) or email = any($3::text[]))""",
        list_id,
        identities,
        emails,
    )


async def add(connection: Connection, list_id: str, rows: Sequence[NewMember]) -> None:
    await connection.copy_records_to_table(
        "list_members",
        records=[(id, list_id, *row) for id, *row in rows],
        columns=("id", "list_id", "identity", "email", "person", "subjects"),
    )


async def some(connection: Connection, list_id: str, ids: Sequence[str]) -> list[asyncpg.Record]:
    """The members with these ids."""
    return await connection.fetch(
        "select id, person, note, added_at from list_members where list_id = $1 and id = any($2::text[])", list_id, ids
    )


async def members(pool: Pool | Connection, list_id: str, after: str, limit: int) -> list[asyncpg.Record]:
    return await pool.fetch(
        """select id, person, note, added_at from list_members where list_id = $1 and id > $2
           order by id limit $3""",
        list_id,
        after,
        limit,
    )


async def note(connection: Connection, list_id: str, member_id: str) -> str | None:
    return await connection.fetchval("select note from list_members where list_id = $1 and id = $2", list_id, member_id)


async def annotate(
    connection: Connection, list_id: str, member_id: str, note: str | None, mentions: Sequence[bytes] | None
) -> asyncpg.Record | None:
    """The member with its new note; None where it is not on the list."""
    return await connection.fetchrow(
        """update list_members set note = $3, mentions = $4 where list_id = $1 and id = $2
           returning id, person, note, added_at""",
        list_id,
        member_id,
        note,
        mentions,
    )


async def remove(connection: Connection, list_id: str, member_id: str) -> bool:
    return bool(
        await connection.fetchval(
            "delete from list_members where list_id = $1 and id = $2 returning true", list_id, member_id
        )
    )
