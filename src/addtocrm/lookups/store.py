"""The SQL of look-ups: holds and results. The money rules themselves are functions of migrations 0009 and 0036."""

from collections.abc import Sequence
from datetime import datetime

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Connection, Pool
from addtocrm.lookups.model import CaptureState, Claim, Ref, Refresh


async def claim(
    pool: Pool, hold_id: str, ref: Ref, caller: Caller, instance: int, refresh: Refresh, subjects: Sequence[bytes]
) -> Claim:
    """Holds a credit for `ref`, or says why not: it is cached, busy elsewhere, asks for somebody who asked to be
    forgotten, or the pool is empty."""
    row = await pool.fetchrow(
        "select * from credits_claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        hold_id,
        *ref,
        caller.request_id,
        caller.key_id,
        caller.item,
        instance,
        bool(refresh),
        refresh if isinstance(refresh, datetime) else None,
        subjects,
    )
    assert row is not None
    return Claim(**row)


async def capture(
    connection: Connection | Pool,
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
    row = await connection.fetchrow(
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


async def cached(pool: Pool, account_id: str, operation: str, keys: Sequence[str]) -> set[str]:
    """Those of the keys whose result is kept."""
    rows = await pool.fetch(
        """select lookup_key from results
           where account_id = $1 and operation = $2 and lookup_key = any($3::text[]) and expires_at > now()""",
        account_id,
        operation,
        keys,
    )
    return {row["lookup_key"] for row in rows}


async def kept(pool: Pool, ref: Ref) -> str | None:
    """The result of a look-up that is kept."""
    return await pool.fetchval(
        """select data from results
           where account_id = $1 and operation = $2 and lookup_key = $3 and expires_at > now()""",
        *ref,
    )


async def release(pool: Pool, hold_id: str) -> int | None:
    """Gives a held credit back; the credits left, or None where the hold is gone already."""
    return await pool.fetchval("select credits_release($1)", hold_id)


async def may_have_credits(pool: Pool, account_id: str) -> bool:
    return await pool.fetchval(
        """select exists (select from holds where account_id = $1)
           or exists (select from accounts where id = $1 and available > 0)""",
        account_id,
    )


async def holds_of(pool: Pool, instance: int) -> list[str]:
    """The holds of one process."""
    rows = await pool.fetch("select id from holds where instance = $1", instance)
    return [row["id"] for row in rows]


async def release_lost(pool: Pool, instance: int, lost: Sequence[str]) -> int:
    """Releases the holds of other processes that are dead, and `lost` ones of this; gives how many.

    The locks of several accounts are taken in one order, so that two who sweep cannot wait for each other; a hold that
    somebody settles just now needs no release.
    """
    return await pool.fetchval(
        """select count(credits_release(id)) from (
               select id from holds
               where case when instance = $1 then id = any($2::text[]) else instance_is_dead(instance) end
               order by account_id, id for update skip locked) lost""",
        instance,
        lost,
    )


async def delete_expired(pool: Pool, batch: int = 1000) -> None:
    """Deletes the results past their time, some in each transaction."""
    deleted = batch
    while deleted == batch:
        done = await pool.execute(
            """delete from results where ctid = any(array(
                   select ctid from results where expires_at < now() limit $1)) and expires_at < now()""",
            batch,
        )
        deleted = int(done.rpartition(" ")[2])
