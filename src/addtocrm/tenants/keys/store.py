"""The SQL of keys."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from addtocrm.core.caller import Scope
from addtocrm.core.db.pool import Connection, Pool
from addtocrm.tenants.keys.model import Key

COLUMNS = (
    "id, account_id, name, prefix, last_four, scopes, created_at, revoked_at, expires_at, last_used_at, "
    "rate_per_minute, rate_per_hour"
)

PLAN = "case when a.suspended_at is null then a.plan else 'suspended' end"
"""The plan of an account `a` as its keys have it."""


async def insert(
    connection: Connection,
    id: str,
    account_id: str,
    name: str,
    hash: bytes,
    prefix: str,
    last_four: str,
    scopes: tuple[Scope, ...],
    rates: tuple[int | None, int | None],
    expires_at: datetime | None,
) -> bool:
    """Whether there was no key with this hash."""
    done = await connection.execute(
        """insert into keys (id, account_id, name, hash, prefix, last_four, scopes,
                             rate_per_minute, rate_per_hour, expires_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (hash) do nothing""",
        id,
        account_id,
        name,
        hash,
        prefix,
        last_four,
        list(scopes),
        *rates,
        expires_at,
    )
    return done == "INSERT 0 1"


async def by_hash(connection: Connection, account_id: str, hash: bytes) -> Key:
    row = await connection.fetchrow(f"select {COLUMNS} from keys where account_id = $1 and hash = $2", account_id, hash)
    assert row is not None
    return _key(row)


async def put_for_session(
    connection: Connection,
    id: str,
    account_id: str,
    name: str,
    shown: tuple[bytes, str, str],
    scopes: tuple[Scope, ...],
    session_id: str,
    expires_at: datetime,
    role: str,
) -> str | None:
    """Gives a session a key, in place of one that it has; its id, or None where there is no such session, or its member
    has another role by now. `shown` is (hash, prefix, last four)."""
    return await connection.fetchval(
        """insert into keys (id, account_id, name, hash, prefix, last_four, scopes, session_id, expires_at)
           select $1, $2, $3, $4, $5, $6, $7, s.id, $9 from sessions s join members m on m.id = s.member_id
           where s.id = $8 and m.role = $10 for share of m for key share of s
           on conflict (session_id) do update set
               hash = excluded.hash, last_four = excluded.last_four, scopes = excluded.scopes,
               created_at = now(), revoked_at = null, expires_at = excluded.expires_at
           returning id""",
        id,
        account_id,
        name,
        *shown,
        list(scopes),
        session_id,
        expires_at,
        role,
    )


async def end_of_member(connection: Connection, member_id: str) -> None:
    """Revokes the keys of a member's sessions, with their events."""
    await connection.execute(
        """select revoke_session_key(k) from (
               select k from keys k join sessions s on s.id = k.session_id where s.member_id = $1
               order by k.id for no key update of k) as theirs""",
        member_id,
    )


async def owner(connection: Connection, email: str) -> asyncpg.Record | None:
    """(id, plan) of the account with an email address."""
    return await connection.fetchrow(f"select id, {PLAN} as plan from accounts a where email = $1", email.lower())


async def of_account(connection: Connection, account_id: str) -> list[Key]:
    rows = await connection.fetch(f"select {COLUMNS} from keys where account_id = $1 order by id", account_id)
    return [_key(row) for row in rows]


async def active(connection: Connection, account_id: str) -> list[Key]:
    return [key for key in await of_account(connection, account_id) if not key.is_over]


async def revoke(connection: Connection, id: str, account_id: str | None) -> Key | None:
    """The key (of an account, or anybody's) that was revoked just now, or None where there is no such active key."""
    row = await connection.fetchrow(
        f"""update keys set revoked_at = now()
            where id = $1 and ($2::text is null or account_id = $2) and revoked_at is null returning {COLUMNS}""",
        id,
        account_id,
    )
    return _key(row) if row else None


async def exists(connection: Connection, id: str, account_id: str | None) -> bool:
    return await connection.fetchval(
        "select exists (select from keys where id = $1 and ($2::text is null or account_id = $2))", id, account_id
    )


async def principals(pool: Pool, hashes: Sequence[bytes]) -> list[asyncpg.Record]:
    """The columns of keys, and of their accounts, that a request is judged by."""
    return await pool.fetch(
        f"""select k.hash, k.id as key_id, k.account_id, k.scopes, {PLAN} as plan, k.revoked_at is not null as revoked,
                  coalesce(k.expires_at <= now(), false) as expired, k.rate_per_minute, k.rate_per_hour,
                  case when a.period_end > now() then a.available else monthly_credits(a) end as credits_available
           from keys k join accounts a on a.id = k.account_id where k.hash = any($1)""",
        hashes,
    )


async def unusable(pool: Pool, ids: Sequence[str]) -> list[asyncpg.Record]:
    """(id, revoked, expired) of the keys that are revoked or have expired, or whose account is off Pro."""
    return await pool.fetch(
        f"""select * from (
               select k.id, {PLAN} as plan, k.revoked_at is not null as revoked,
                      coalesce(k.expires_at <= now(), false) as expired
               from keys k join accounts a on a.id = k.account_id where k.id = any($1::text[])
           ) as asked where revoked or expired or plan <> 'pro'""",
        ids,
    )


async def note_use(connection: Connection, used: Mapping[str, datetime]) -> None:
    """Keeps when keys were used, where what is known is more than a minute older."""
    await connection.execute(
        """with known as (
               select k.id, u.at from keys k join unnest($1::text[], $2::timestamptz[]) as u (id, at) using (id)
               where k.last_used_at is null or k.last_used_at < u.at - interval '1 minute'
               order by k.id for no key update of k
           )
           update keys k set last_used_at = known.at from known where k.id = known.id""",
        list(used),
        list(used.values()),
    )


def _key(row: asyncpg.Record) -> Key:
    values: dict[str, Any] = dict(row)
    values["scopes"] = tuple(row["scopes"])
    return Key(**values)
