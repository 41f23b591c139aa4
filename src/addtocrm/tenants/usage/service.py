"""What an account has used: read from sums that are kept with the ledger, so that it always adds up."""

from collections import Counter

import asyncpg

from addtocrm.core import cursors
from addtocrm.core.db.pool import Pool
from addtocrm.core.times import rfc3339
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.usage import store
from addtocrm.tenants.usage.model import Credits, DayUse, KeyUse, LedgerLine, OperationUse, Period, Usage

LAST = "led_~"
"""After every id."""


async def of_account(pool: Pool, account_id: str) -> Usage:
    """The current period of an account, of one moment. Waits for nobody's lock, unless a period is to be begun."""
    row, charges = await _read(pool, account_id)
    if row["due"]:
        await accounts.begin_due_period(pool, account_id)
        row, charges = await _read(pool, account_id)
    operations: Counter[str] = Counter()
    keys: Counter[tuple[str | None, str | None]] = Counter()
    days: Counter[str] = Counter()
    for one in charges:
        operations[one["operation"]] += one["credits"]
        keys[one["key_id"], one["name"]] += one["credits"]
        days[one["day"].isoformat()] += one["credits"]
    return Usage(
        plan=row["plan"],
        period=Period(rfc3339(row["period_start"]), rfc3339(row["period_end"])),
        credits=Credits(
            limit=row["period_credits"],
            used=operations.total(),
            held=row["held"],
            remaining=row["available"],
            monthly=row["monthly"],
        ),
        by_operation=[OperationUse(*one) for one in sorted(operations.items())],
        by_key=[KeyUse(*key, credits) for key, credits in keys.items()],
        by_day=[DayUse(*one) for one in sorted(days.items())],
    )


async def ledger(pool: Pool, account_id: str, cursor: str | None, limit: int) -> tuple[list[LedgerLine], str | None]:
    """A page of an account's ledger, the newest line first, and the cursor of the next. Raises ApiError."""
    lines = await store.ledger(pool, account_id, cursors.decode(cursor, str) if cursor else LAST, limit + 1)
    return lines[:limit], cursors.encode(lines[limit - 1].id) if len(lines) > limit else None


async def _read(pool: Pool, account_id: str) -> tuple[asyncpg.Record, list[asyncpg.Record]]:
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        row = await store.account(connection, account_id)
        return row, await store.charges(connection, account_id, row["period_start"])
