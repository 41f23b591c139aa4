"""The SQL of Idempotency-Keys."""

from collections.abc import Sequence

import asyncpg

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.idempotency.model import Once, Stored

KEEP = "24 hours"


async def claim(pool: Pool, owner: str, key: str, fingerprint: bytes, instance: int) -> Once | None:
    """The right to use a key that is new, older than a day, or of a try of the same request that nobody is at."""
    row = await pool.fetchrow(
        f"""insert into idempotency as i (owner, key, fingerprint, instance) values ($1, $2, $3, $4)
            on conflict (owner, key) do update
            set fingerprint = excluded.fingerprint, instance = excluded.instance, status = null, body = null,
                outcome = case when i.created_at < now() - interval '{KEEP}' then null else i.outcome end,
                subjects = case when i.created_at < now() - interval '{KEEP}' then null else i.subjects end,
                created_at = now()
            where i.created_at < now() - interval '{KEEP}'
               or (i.status is null and i.fingerprint = excluded.fingerprint
                   and case when i.instance = $4 then true else i.instance is null or instance_is_dead(i.instance) end)
            returning outcome""",
        owner,
        key,
        fingerprint,
        instance,
    )
    return Once(owner, key, instance, row["outcome"] and row["outcome"].encode()) if row else None


async def get(pool: Pool, owner: str, key: str) -> asyncpg.Record | None:
    return await pool.fetchrow(
        "select fingerprint, status, content_type, body from idempotency where (owner, key) = ($1, $2)", owner, key
    )


async def keep(connection: Connection, once: Once, outcome: str, subjects: Sequence[bytes] | None) -> bool:
    """Notes what the request did, and whom it speaks of; False where it was taken over by another process."""
    done = await connection.execute(
        """update idempotency set outcome = $4, subjects = $5
           where (owner, key, instance) = ($1, $2, $3) and status is null""",
        once.owner,
        once.key,
        once.instance,
        outcome,
        subjects,
    )
    return done == "UPDATE 1"


async def finish(pool: Pool, once: Once, answer: Stored, subjects: Sequence[bytes] | None) -> None:
    """Stores the answer, and whom it speaks of, in place of the outcome; of one who asked to be forgotten, nothing."""
    await pool.execute(
        """with suppressed as materialized (select is_suppressed($7) as gone),
           forgotten as (
               delete from idempotency using suppressed where gone and (owner, key, instance) = ($1, $2, $3))
           update idempotency set status = $4, content_type = $5, body = $6, outcome = null, instance = null,
               subjects = $7
           from suppressed where not gone and (owner, key, instance) = ($1, $2, $3)""",
        once.owner,
        once.key,
        once.instance,
        answer.status,
        answer.content_type,
        answer.body,
        subjects,
    )


async def free(pool: Pool, once: Once) -> None:
    """Forgets a key whose request did nothing; what did something waits for its next try."""
    whose = (once.owner, once.key, once.instance)
    ours = "where (owner, key, instance) = ($1, $2, $3) and status is null"
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(f"delete from idempotency {ours} and outcome is null", *whose)
        await connection.execute(f"update idempotency set instance = null {ours}", *whose)


async def take(connection: Connection, owner: str, fingerprint: bytes) -> bool:
    """Notes a form; False where it was noted before, also by a transaction that is waited for."""
    done = await connection.execute(
        "insert into idempotency (owner, key, fingerprint) values ($1, $2, $3) on conflict do nothing",
        owner,
        f"form:{fingerprint.hex()}",
        fingerprint,
    )
    return done == "INSERT 0 1"


async def delete_old(pool: Pool) -> None:
    await pool.execute(f"delete from idempotency where created_at < now() - interval '{KEEP}'")
