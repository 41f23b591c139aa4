"""The SQL of authenticator apps, recovery codes and passkeys."""

from datetime import timedelta

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.tenants.factors.model import Factors, Known, Passkey

PASSKEY = "id, name, created_at, used_at"


async def of_member(db: Pool | Connection, member_id: str) -> Factors:
    rows = await db.fetch(f"select {PASSKEY} from passkeys where member_id = $1 order by id", member_id)
    row = await db.fetchrow(
        """select exists (select from authenticator_apps where member_id = $1 and confirmed_at is not null) as app,
                  (select count(*) from recovery_codes where member_id = $1) as codes""",
        member_id,
    )
    assert row
    return Factors(row["app"], [Passkey(**one) for one in rows], row["codes"])


async def members_with(pool: Pool, account_id: str) -> list[str]:
    """The members of an account who have an app or a passkey."""
    rows = await pool.fetch(
        """select id from members m where account_id = $1 and
           (exists (select from authenticator_apps a where a.member_id = m.id and confirmed_at is not null)
            or exists (select from passkeys p where p.member_id = m.id))""",
        account_id,
    )
    return [row["id"] for row in rows]


async def lock(connection: Connection, member_id: str) -> None:
    """Nobody else changes what the member has until the transaction ends."""
    await connection.execute("select from members where id = $1 for no key update", member_id)


async def put_app(connection: Connection, member_id: str, secret: bytes) -> None:
    """An app that is not confirmed yet."""
    await connection.execute(
        """insert into authenticator_apps (member_id, secret) values ($1, $2)
           on conflict (member_id) do update set secret = excluded.secret, last_step = 0, confirmed_at = null""",
        member_id,
        secret,
    )


async def secret(db: Pool | Connection, member_id: str, *, confirmed: bool) -> bytes | None:
    return await db.fetchval(
        "select secret from authenticator_apps where member_id = $1 and (confirmed_at is not null) = $2",
        member_id,
        confirmed,
    )


async def take_step(db: Pool | Connection, member_id: str, secret: bytes, step: int) -> bool:
    """Uses a time step of the app with this secret up; False where it or a later one was used. Confirms the app."""
    return await db.fetchval(
        """update authenticator_apps set last_step = $3, confirmed_at = coalesce(confirmed_at, now())
           where member_id = $1 and secret = $2 and last_step < $3 returning true""",
        member_id,
        secret,
        step,
    )


async def delete_app(connection: Connection, member_id: str) -> None:
    await connection.execute("delete from authenticator_apps where member_id = $1", member_id)


async def put_codes(connection: Connection, member_id: str, hashes: list[bytes]) -> None:
    """These recovery codes, and no others."""
    await connection.execute("delete from recovery_codes where member_id = $1", member_id)
    await connection.execute(
        "insert into recovery_codes (member_id, hash) select $1, unnest($2::bytea[])", member_id, hashes
    )


async def take_code(pool: Pool, member_id: str, hash: bytes) -> bool:
    return await pool.fetchval(
        "delete from recovery_codes where member_id = $1 and hash = $2 returning true", member_id, hash
    )


async def put_challenge(pool: Pool, holder: bytes, challenge: bytes, lives: timedelta) -> None:
    """What `holder` has to sign; a challenge from before is void."""
    await pool.execute(
        """insert into passkey_challenges values ($1, $2, now() + $3)
           on conflict (holder) do update set challenge = excluded.challenge, expires_at = excluded.expires_at""",
        holder,
        challenge,
        lives,
    )


async def take_challenge(pool: Pool, holder: bytes) -> bytes | None:
    return await pool.fetchval(
        "delete from passkey_challenges where holder = $1 returning case when expires_at > now() then challenge end",
        holder,
    )


async def insert_passkey(
    connection: Connection, id: str, member_id: str, name: str, credential: bytes, public_key: bytes, sign_count: int
) -> bool:
    """False where the passkey is known already."""
    return await connection.fetchval(
        """insert into passkeys (id, member_id, name, credential, public_key, sign_count)
           values ($1, $2, $3, $4, $5, $6) on conflict (credential) do nothing returning true""",
        id,
        member_id,
        name,
        credential,
        public_key,
        sign_count,
    )


async def passkey(pool: Pool, credential: bytes) -> Known | None:
    row = await pool.fetchrow(
        "select id, member_id, public_key, sign_count from passkeys where credential = $1", credential
    )
    return Known(**row) if row else None


async def credentials(pool: Pool, member_id: str) -> list[bytes]:
    rows = await pool.fetch("select credential from passkeys where member_id = $1", member_id)
    return [row["credential"] for row in rows]


async def count_use(pool: Pool, id: str, sign_count: int) -> bool:
    """False where another use counted as far meanwhile; passkeys that do not count say 0 each time."""
    return await pool.fetchval(
        """update passkeys set sign_count = $2, used_at = now()
           where id = $1 and (sign_count < $2 or (sign_count = 0 and $2 = 0)) returning true""",
        id,
        sign_count,
    )


async def delete_passkey(connection: Connection, member_id: str, id: str | None) -> list[str]:
    """Takes one passkey of a member away, or all; gives their names."""
    rows = await connection.fetch(
        "delete from passkeys where member_id = $1 and ($2::text is null or id = $2) returning name", member_id, id
    )
    return [row["name"] for row in rows]


async def delete_expired(pool: Pool) -> None:
    await pool.execute("delete from passkey_challenges where expires_at < now()")


async def sealed(connection: Connection) -> list[tuple[str, bytes]]:
    rows = await connection.fetch("select member_id, secret from authenticator_apps for update")
    return [(row["member_id"], row["secret"]) for row in rows]


async def reseal(connection: Connection, member_id: str, secret: bytes) -> None:
    await connection.execute("update authenticator_apps set secret = $2 where member_id = $1", member_id, secret)
