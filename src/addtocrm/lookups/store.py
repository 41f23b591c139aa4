"""The SQL of look-ups: holds and results. The money rules themselves are functions of migration 0001."""

from collections.abc import Sequence
from datetime import datetime

from addtocrm.db.pool import Pool
from addtocrm.lookups.model import Caller, CaptureState, Claim, Ref, Refresh


async def claim(
    pool: Pool, hold_id: str, ref: Ref, caller: Caller, instance: int, refresh: Refresh, subjects: Sequence[bytes]
) -> Claim:
    """Holds a credit for `ref`, or says why not: it is cached, busy elsewhere, asks for somebody who asked to be
    forgotten, or the pool is empty."""
    row = await pool.fetchrow(
        "select state, data, expires_at, available from credits_claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        hold_id,
        *ref,
        caller.request_id,
        caller.key_id,
        instance,
        bool(refresh),
        refresh if isinstance(refresh, datetime) else None,
        caller.plan_credits,
        subjects,
    )
    assert row is not None
    return Claim(**row)


async def capture(
    pool: Pool,
    hold_id: str,
    charge_id: str,
    event: tuple[str, str, str, str],
    data: str,
    expires_at: datetime,
    subjects: Sequence[bytes],
) -> tuple[CaptureState, int]:
    """Turns a hold into a result, a ledger row and an event, in one commit.

    `event` is (id, type, actor, JSON data). Gives what became of the hold, and the credits left.
    """
    event_id, event_type, actor, event_data = event
    row = await pool.fetchrow(
        "select captured, suppressed, available from credits_capture($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        hold_id,
        charge_id,
        event_id,
        event_type,
        actor,
        data,
        expires_at,
        event_data,
        subjects,
    )
    assert row is not None
    state = "suppressed" if row["suppressed"] else "captured" if row["captured"] else "lost"
    return state, row["available"] or 0


async def release(pool: Pool, hold_id: str) -> int | None:
    """Gives a held credit back; the credits left, or None where the hold is gone already."""
    return await pool.fetchval("select credits_release($1)", hold_id)


async def has_holds(pool: Pool, account_id: str) -> bool:
    return await pool.fetchval("select exists (select from holds where account_id = $1)", account_id)


async def sweep(pool: Pool, instance: int, active: list[str]) -> int:
    """Releases the holds of processes that died, and this process's own that no look-up knows; gives how many."""
    return await pool.fetchval(
        """with lost as (
               select id from holds
               where case when instance = $1 then id <> all($2::text[]) else instance_is_dead(instance) end)
           select count(credits_release(id)) from lost""",
        instance,
        active,
    )


async def delete_expired(pool: Pool, batch: int = 1000) -> None:
    await pool.execute(
        """delete from results where ctid = any(array(
               select ctid from results where expires_at < now() limit $1))""",
        batch,
    )
