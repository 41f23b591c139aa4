"""The SQL of members and their links."""

from collections.abc import Collection
from datetime import datetime, timedelta

import asyncpg

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.tenants.members.model import Invitation, Link, LinkKind, Member, Role

COLUMNS = "id, account_id, email, role, operator, password is not null as has_password, created_at, signed_out"
INVITATION = "id, email, role, created_at, expires_at"


async def insert(
    connection: Connection, id: str, account_id: str, email: str, role: Role, password: str | None, operator: bool
) -> Member | None:
    """The new member, or None where somebody has the address."""
    return _member(
        await connection.fetchrow(
            f"""insert into members (id, account_id, email, role, password, operator) values ($1, $2, $3, $4, $5, $6)
                on conflict (email) do nothing returning {COLUMNS}""",
            id,
            account_id,
            email,
            role,
            password,
            operator,
        )
    )


async def by_id(connection: Connection | Pool, id: str) -> Member | None:
    return _member(await connection.fetchrow(f"select {COLUMNS} from members where id = $1", id))


async def by_email(connection: Connection | Pool, email: str) -> Member | None:
    return _member(await connection.fetchrow(f"select {COLUMNS} from members where email = $1", email))


async def password(pool: Pool, id: str) -> str | None:
    return await pool.fetchval("select password from members where id = $1", id)


async def of_account(pool: Pool | Connection, account_id: str) -> list[Member]:
    rows = await pool.fetch(f"select {COLUMNS} from members where account_id = $1 order by id", account_id)
    return [Member(**row) for row in rows]


async def is_empty(db: Pool | Connection) -> bool:
    """Whether nobody can sign in yet."""
    return not await db.fetchval("select exists (select from members where password is not null)")


async def lock_all(connection: Connection) -> None:
    """Nobody becomes a member, or has a new password, until the transaction ends."""
    await connection.execute("lock table members in share row exclusive mode")


async def lock(connection: Connection, account_id: str) -> list[Member]:
    """The members of an account, none of whom is changed by others until the transaction ends."""
    await connection.execute("select from accounts where id = $1 for no key update", account_id)
    return await of_account(connection, account_id)


async def set_password(connection: Connection, id: str, password: str) -> None:
    await connection.execute("update members set password = $2 where id = $1", id, password)


async def note_signed_out(connection: Connection | Pool, id: str) -> None:
    """First, before their sessions are deleted: no sign-in that began before is let in from then on."""
    await connection.execute("update members set signed_out = signed_out + 1 where id = $1", id)


async def end_sessions(connection: Connection, id: str, but: str | None) -> None:
    """Signs a member out everywhere `but` in one session, also where they are about to sign in."""
    await note_signed_out(connection, id)
    await connection.execute("delete from half_sessions where member_id = $1", id)
    await connection.execute("delete from sessions where member_id = $1 and id is distinct from $2", id, but)


async def replace_password(pool: Pool, id: str, old: str, new: str) -> None:
    await pool.execute("update members set password = $3 where id = $1 and password = $2", id, old, new)


async def set_operator(connection: Connection, id: str, on: bool) -> None:
    await connection.execute("update members set operator = $2 where id = $1", id, on)


async def last_seen(pool: Pool, account_id: str) -> dict[str, datetime]:
    """When the members of an account were last here."""
    rows = await pool.fetch(
        """select m.id, max(s.seen_at) as seen_at from members m join sessions s on s.member_id = m.id
           where m.account_id = $1 group by m.id""",
        account_id,
    )
    return {row["id"]: row["seen_at"] for row in rows}


async def set_role(connection: Connection, id: str, role: Role) -> None:
    await connection.execute("update members set role = $2 where id = $1", id, role)


async def set_shortcuts(pool: Pool, id: str, on: bool) -> None:
    await pool.execute("update members set shortcuts = $2 where id = $1", id, on)


async def delete(connection: Connection, id: str) -> None:
    await connection.execute(
        """with gone as (delete from members where id = $1 returning id, account_id, email)
           insert into former_members select id, account_id, email from gone""",
        id,
    )


async def emails(pool: Pool, account_id: str, ids: Collection[str]) -> dict[str, str]:
    """The addresses of members, also of those who left."""
    rows = await pool.fetch(
        """select id, email from members where account_id = $1 and id = any($2)
           union all select id, email from former_members where account_id = $1 and id = any($2)""",
        account_id,
        list(ids),
    )
    return {row["id"]: row["email"] for row in rows}


async def insert_link(connection: Connection | Pool, hash: bytes, id: str, link: Link, lives: timedelta) -> None:
    await connection.execute(
        """insert into member_links (hash, id, kind, account_id, member_id, email, role, expires_at)
           values ($1, $2, $3, $4, $5, $6, $7, now() + $8)""",
        hash,
        id,
        link.kind,
        link.account_id,
        link.member_id,
        link.email,
        link.role,
        lives,
    )


async def link(connection: Connection | Pool, hash: bytes, kind: LinkKind, *, take: bool) -> Link | None:
    """What a link is for that is still good; `take` uses it up."""
    row = await connection.fetchrow(
        f"""{"delete from" if take else "select kind, account_id, member_id, email, role from"} member_links
            where hash = $1 and kind = $2 and expires_at > now()
            {"returning kind, account_id, member_id, email, role" if take else ""}""",
        hash,
        kind,
    )
    return Link(**row) if row else None


async def invitations(pool: Pool, account_id: str) -> list[Invitation]:
    rows = await pool.fetch(
        f"""select {INVITATION} from member_links
            where account_id = $1 and kind = 'invite' and expires_at > now() order by id""",
        account_id,
    )
    return [Invitation(**row) for row in rows]


async def lock_links(connection: Connection, kind: LinkKind, of: str) -> None:
    """Nobody else makes or voids links of a kind for these until the transaction ends."""
    await connection.execute("select pg_advisory_xact_lock(1096041298, hashtext($1))", f"{kind} {of}")


async def delete_links(
    connection: Connection | Pool,
    kind: LinkKind,
    *,
    account_id: str | None = None,
    member_id: str | None = None,
    email: str | None = None,
) -> None:
    """Links of a kind for the same member or address of the same account."""
    await connection.execute(
        """delete from member_links
           where kind = $1 and account_id is not distinct from $2 and member_id is not distinct from $3
             and email is not distinct from $4""",
        kind,
        account_id,
        member_id,
        email,
    )


async def delete_invitations(connection: Connection, account_id: str) -> None:
    await connection.execute("delete from member_links where account_id = $1 and kind = 'invite'", account_id)


async def delete_invitation(connection: Connection | Pool, account_id: str, id: str) -> Invitation | None:
    row = await connection.fetchrow(
        f"delete from member_links where account_id = $1 and id = $2 and kind = 'invite' returning {INVITATION}",
        account_id,
        id,
    )
    return Invitation(**row) if row else None


def _member(row: asyncpg.Record | None) -> Member | None:
    return Member(**row) if row else None
