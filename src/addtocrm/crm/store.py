"""The SQL of CRM connections, and the locks of CRM writes."""

from collections.abc import Sequence

import asyncpg

from addtocrm.core.db.pool import Connection, Pool

COLUMNS = "crm, name, crm_account_id, crm_account_name, secret, status, connected_at"
LOCK_SECONDS = 20


async def connection(db: Connection | Pool, account_id: str, lock: str = "") -> asyncpg.Record | None:
    """The account's connection. `lock`: `for share` while writing, so that it is not switched meanwhile."""
    return await db.fetchrow(f"select {COLUMNS} from crm_connections where account_id = $1 {lock}", account_id)


async def connect(
    db: Connection,
    account_id: str,
    crm: str,
    name: str,
    crm_account_id: str,
    crm_account_name: str,
    secret: bytes | None,
) -> None:
    """Makes this the account's one connection."""
    await db.execute(
        """insert into crm_connections (account_id, crm, name, crm_account_id, crm_account_name, secret)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (account_id) do update
           set crm = excluded.crm, name = excluded.name, crm_account_id = excluded.crm_account_id,
               crm_account_name = excluded.crm_account_name, secret = excluded.secret,
               status = 'connected', connected_at = clock_timestamp()""",
        account_id,
        crm,
        name,
        crm_account_id,
        crm_account_name,
        secret,
    )


async def disconnect(db: Connection, account_id: str) -> asyncpg.Record | None:
    """Ends the connection; gives what it was."""
    return await db.fetchrow("delete from crm_connections where account_id = $1 returning crm, name", account_id)


async def expire(db: Connection, account_id: str, connected_at: object, secret: bytes | None) -> bool:
    """Marks this very connection while its secret is this one; whether it was not marked before."""
    done = await db.execute(
        """update crm_connections set status = 'token_expired'
           where account_id = $1 and connected_at = $2 and status = 'connected'
             and secret is not distinct from $3""",
        account_id,
        connected_at,
        secret,
    )
    return done == "UPDATE 1"


async def renew(pool: Pool, account_id: str, connected_at: object, secret: bytes) -> None:
    """Keeps the refreshed tokens of this very connection."""
    await pool.execute(
        """update crm_connections set secret = $3, status = 'connected'
           where account_id = $1 and connected_at = $2""",
        account_id,
        connected_at,
        secret,
    )


async def sealed(db: Connection | Pool, lock: str = "") -> list[asyncpg.Record]:
    """(account_id, secret) of every connection that has one. `lock`: `for update` to change them."""
    return await db.fetch(
        f"select account_id, secret from crm_connections where secret is not null order by account_id {lock}"
    )


async def reseal(db: Connection, account_id: str, secret: bytes) -> None:
    await db.execute("update crm_connections set secret = $2 where account_id = $1", account_id, secret)


async def hold(db: Connection, locks: Sequence[int]) -> None:
    """Takes advisory locks until the transaction ends, always in one order. Raises TimeoutError."""
    await db.execute(
        "select pg_advisory_xact_lock(number) from unnest($1::bigint[]) as number",
        sorted(set(locks)),
        timeout=LOCK_SECONDS,
    )
