"""The SQL of sessions."""

from datetime import timedelta

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.tenants.sessions.model import Session, Signed


async def insert(pool: Pool | Connection, hash: bytes, id: str, member_id: str, address: str, agent: str) -> None:
    await pool.execute(
        "insert into sessions (hash, id, member_id, address, agent) values ($1, $2, $3, $4, $5)",
        hash,
        id,
        member_id,
        address,
        agent,
    )


async def find(pool: Pool, hash: bytes, idle: timedelta) -> Signed | None:
    """Whose session it is, where it was used within `idle`."""
    row = await pool.fetchrow(
        """select s.id as session_id, m.id as member_id, m.email, m.role, m.operator,
                  m.password is not null as has_password, a.id as account_id,
                  a.email as account_email, a.plan, a.suspended_at is not null as suspended, a.available as credits,
                  s.confirmed_at
           from sessions s join members m on m.id = s.member_id join accounts a on a.id = m.account_id
           where s.hash = $1 and s.seen_at > now() - $2::interval""",
        hash,
        idle,
    )
    return Signed(**row) if row else None


async def touch(pool: Pool, hash: bytes, every: timedelta) -> None:
    await pool.execute(
        "update sessions set seen_at = now() where hash = $1 and seen_at < now() - $2::interval", hash, every
    )


async def confirm(pool: Pool, id: str) -> None:
    await pool.execute("update sessions set confirmed_at = now() where id = $1", id)


async def of_member(pool: Pool, member_id: str, idle: timedelta) -> list[Session]:
    rows = await pool.fetch(
        """select id, address, agent, created_at, seen_at from sessions
           where member_id = $1 and seen_at > now() - $2::interval order by seen_at desc""",
        member_id,
        idle,
    )
    return [Session(**row) for row in rows]


async def delete(pool: Pool, member_id: str, id: str | None, but: str | None) -> int:
    """Ends one session of a member, or all `but` one; gives how many."""
    done = await pool.execute(
        """delete from sessions where member_id = $1 and ($2::text is null or id = $2)
           and ($3::text is null or id <> $3)""",
        member_id,
        id,
        but,
    )
    return int(done.rpartition(" ")[2])


async def delete_idle(pool: Pool, idle: timedelta) -> None:
    await pool.execute("delete from sessions where seen_at < now() - $1::interval", idle)
    await pool.execute("delete from member_links where expires_at < now()")
