"""The SQL of sessions."""

from datetime import timedelta

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.tenants.members.model import Member
from addtocrm.tenants.sessions.model import Session, Signed


async def insert(pool: Pool, hash: bytes, id: str, member: Member, address: str, agent: str) -> bool:
    """Whether the member was not signed out everywhere since they were read."""
    done = await pool.execute(
        """insert into sessions (hash, id, member_id, address, agent)
           select $1, $2, id, $4, $5 from members where id = $3 and signed_out = $6 for share""",
        hash,
        id,
        member.id,
        address,
        agent,
        member.signed_out,
    )
    return done == "INSERT 0 1"


async def find(pool: Pool, hash: bytes, idle: timedelta, longest: timedelta) -> Signed | None:
    """Whose session it is, where it was used within `idle` and began within `longest`."""
    row = await pool.fetchrow(
        """select s.id as session_id, m.id as member_id, m.email, m.role, m.operator,
                  m.password is not null as has_password, m.shortcuts, a.id as account_id,
                  (exists (select from authenticator_apps f where f.member_id = m.id and confirmed_at is not null)
                   or exists (select from passkeys p where p.member_id = m.id)) as two_steps,
                  a.email as account_email, a.plan, a.suspended_at is not null as suspended, a.available as credits,
                  s.confirmed_at
           from sessions s join members m on m.id = s.member_id join accounts a on a.id = m.account_id
           where s.hash = $1 and s.seen_at > now() - $2::interval and s.created_at > now() - $3::interval""",
        hash,
        idle,
        longest,
    )
    return Signed(**row) if row else None


async def touch(pool: Pool, hash: bytes, every: timedelta) -> bool:
    """Notes that a session is used, at most once in `every`; gives whether it did."""
    return await pool.fetchval(
        "update sessions set seen_at = now() where hash = $1 and seen_at < now() - $2::interval returning true",
        hash,
        every,
    )


async def confirm(pool: Pool, id: str) -> None:
    await pool.execute("update sessions set confirmed_at = now() where id = $1", id)


async def of_member(pool: Pool, member_id: str, idle: timedelta, longest: timedelta) -> list[Session]:
    rows = await pool.fetch(
        """select id, address, agent, created_at, seen_at from sessions
           where member_id = $1 and seen_at > now() - $2::interval and created_at > now() - $3::interval
           order by seen_at desc""",
        member_id,
        idle,
        longest,
    )
    return [Session(**row) for row in rows]


async def delete(pool: Pool | Connection, member_id: str, id: str | None, but: str | None) -> int:
    """Ends one session of a member, or all `but` one; gives how many."""
    done = await pool.execute(
        """delete from sessions where member_id = $1 and ($2::text is null or id = $2)
           and ($3::text is null or id <> $3)""",
        member_id,
        id,
        but,
    )
    return int(done.rpartition(" ")[2])


async def insert_half(pool: Pool, hash: bytes, member: Member, lives: timedelta) -> bool:
    """Whether the member was not signed out everywhere since they were read."""
    done = await pool.execute(
        """insert into half_sessions
           select $1, id, now() + $3 from members where id = $2 and signed_out = $4 for share""",
        hash,
        member.id,
        lives,
        member.signed_out,
    )
    return done == "INSERT 0 1"


async def half(pool: Pool, hash: bytes) -> str | None:
    return await pool.fetchval("select member_id from half_sessions where hash = $1 and expires_at > now()", hash)


async def take_half(pool: Pool, hash: bytes) -> bool:
    return await pool.fetchval("delete from half_sessions where hash = $1 and expires_at > now() returning true", hash)


async def delete_halves(pool: Pool | Connection, member_id: str) -> None:
    await pool.execute("delete from half_sessions where member_id = $1", member_id)


async def delete_ended(pool: Pool, idle: timedelta, longest: timedelta) -> None:
    await pool.execute(
        "delete from sessions where seen_at < now() - $1::interval or created_at < now() - $2::interval", idle, longest
    )
    await pool.execute("delete from half_sessions where expires_at < now()")
    await pool.execute("delete from member_links where expires_at < now()")
