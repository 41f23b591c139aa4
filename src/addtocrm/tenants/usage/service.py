"""What an account has used: read from sums that are kept with the ledger, so that it always adds up."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg

from addtocrm.core import cursors
from addtocrm.core.background import repeat
from addtocrm.core.cells import lines
from addtocrm.core.db.pool import Pool
from addtocrm.core.times import rfc3339
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.usage import store
from addtocrm.tenants.usage.model import (
    Credits,
    DayUse,
    KeyUse,
    LedgerFilter,
    LedgerLine,
    MemberUse,
    OperationUse,
    Period,
    Usage,
)

PAGE = 1000
WRITE_SECONDS = 1.0
COLUMNS = ("id", "at", "kind", "operation", "credits", "who", "actor", "request_id")


async def of_account(pool: Pool, account_id: str) -> Usage:
    """The current period of an account, of one moment. Waits for nobody's lock, unless a period is to be begun."""
    row, charges = await _read(pool, account_id)
    if row["due"]:
        await accounts.begin_due_period(pool, account_id)
        row, charges = await _read(pool, account_id)
    operations, keys, members, days = _Sums(), _Sums(), _Sums(), _Sums()
    by_day: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in charges:
        day = one["day"].isoformat()
        operations.add((one["operation"],), one)
        keys.add((one["key_id"], one["name"]), one)
        if one["key_id"] is None:
            members.add((one["member_id"], one["email"]), one)
        days.add((day,), one)
        by_day[day][one["operation"]] += one["credits"]
    return Usage(
        plan=row["plan"],
        period=Period(rfc3339(row["period_start"]), rfc3339(row["period_end"])),
        credits=Credits(
            limit=row["period_credits"],
            used=operations.credits.total(),
            held=row["held"],
            remaining=row["available"],
            monthly=row["monthly"],
        ),
        by_operation=[OperationUse(*one) for one in sorted(operations.rows())],
        by_key=[KeyUse(*one) for one in keys.rows()],
        by_member=[MemberUse(*one) for one in members.rows()],
        by_day=[DayUse(*one, operations=dict(+by_day[one[0]])) for one in sorted(days.rows())],
    )


class _Sums:
    """Credits and cached answers, added up by something."""

    def __init__(self) -> None:
        self.credits: Counter[tuple[str | None, ...]] = Counter()
        self.cached: Counter[tuple[str | None, ...]] = Counter()

    def add(self, key: tuple[str | None, ...], row: asyncpg.Record) -> None:
        self.credits[key] += row["credits"]
        self.cached[key] += row["cached"]

    def rows(self) -> list[tuple[Any, ...]]:
        return [(*key, credits, self.cached[key]) for key, credits in self.credits.items()]


async def ledger(
    pool: Pool, account_id: str, wanted: LedgerFilter, cursor: str | None, limit: int
) -> tuple[list[LedgerLine], str | None]:
    """A page of an account's ledger, the newest line first, and the cursor of the next. Raises ApiError."""
    found = await store.ledger(pool, account_id, wanted, cursors.decode(cursor, str) if cursor else None, limit + 1)
    return found[:limit], cursors.encode(found[limit - 1].id) if len(found) > limit else None


async def operations(pool: Pool, account_id: str) -> list[str]:
    """The operations that an account ever paid for."""
    return await store.operations(pool, account_id)


async def table(pool: Pool, account_id: str, wanted: LedgerFilter) -> AsyncIterator[bytes]:
    """The ledger as CSV, the newest line first, a chunk for some lines."""
    yield lines([COLUMNS])
    before = None
    while found := await store.ledger(pool, account_id, wanted, before, PAGE):
        before = found[-1].id
        yield lines(
            (one.id, rfc3339(one.at), one.kind, one.operation, one.amount, one.who, one.actor, one.request_id)
            for one in found
        )


class Saved:
    """Counts the answers that were free, from the cache, and adds them to what was used: for many together, since most
    of them need no SQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def add(self, account_id: str, operation: str, actor: str) -> None:
        self._counts[account_id, operation, actor] += 1

    async def write(self) -> None:
        """Writes what was counted; what cannot be written is kept for the next time."""
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            for account_id in await store.due(self._pool, list({account_id for account_id, _, _ in counts})):
                await accounts.begin_due_period(self._pool, account_id)
            await store.add_cached(self._pool, datetime.now(UTC).date(), list(counts.items()))
        except BaseException:
            self._counts += counts
            raise

    async def keep_writing(self) -> None:
        """Writes for as long as the process lives."""
        await repeat("write_saved", WRITE_SECONDS, self.write)


async def of_request(pool: Pool, account_id: str, request_id: str, limit: int) -> list[LedgerLine]:
    """The first lines of the ledger that a request made, also by the job that it began."""
    return await store.of_request(pool, account_id, request_id, limit)


async def _read(pool: Pool, account_id: str) -> tuple[asyncpg.Record, list[asyncpg.Record]]:
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        row = await store.account(connection, account_id)
        return row, await store.charges(connection, account_id, row["period_start"])
