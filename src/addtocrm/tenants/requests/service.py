"""The rules of the request log: kept a moment after the answers, for a set number of days."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec
import structlog

from addtocrm.core import cursors, metrics
from addtocrm.core.background import repeat
from addtocrm.core.db.pool import CONNECTION_FAILURES, DATABASE_FAILURES, Pool
from addtocrm.core.errors import invalid
from addtocrm.tenants.keys import service as keys
from addtocrm.tenants.requests import store
from addtocrm.tenants.requests.model import Page, Request, Wanted

log = structlog.get_logger()

WRITE_SECONDS = 1.0
WRITTEN_AT_ONCE = 2000
MOST_WAITING = 20_000
"""Requests that wait to be written, as while the database is away; what comes beyond is not kept."""
LOOKED_AT = 10_000
"""Requests that are looked through for one page of those wanted."""
DELETE_SECONDS = 3600.0
DELETED_AT_ONCE = 1000
FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)


class Journal:
    """Takes requests down in memory, and writes them for many at once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: list[Request] = []

    def add(self, request: Request) -> None:
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(request)
        else:
            metrics.REQUESTS_NOT_KEPT.inc()

    async def write(self) -> None:
        """Writes what waits. Where the database is away, it goes on waiting."""
        while piece := self._waiting[:WRITTEN_AT_ONCE]:
            del self._waiting[:WRITTEN_AT_ONCE]
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    used = await store.insert(connection, msgspec.json.encode(piece).decode())
                    await keys.note_use(connection, {row["key_id"]: row["at"] for row in used})
            except (*CONNECTION_FAILURES, asyncpg.TransactionRollbackError, asyncio.CancelledError):
                self._waiting[:0] = piece
                raise
            except asyncpg.PostgresError:
                metrics.REQUESTS_NOT_KEPT.inc(len(piece))
                raise

    async def keep_writing(self) -> None:
        """Writes for as long as the process lives."""
        await repeat("write_requests", WRITE_SECONDS, self.write)

    async def close(self) -> None:
        try:
            await self.write()
        except DATABASE_FAILURES as error:
            log.warning("requests_not_kept", requests=len(self._waiting), error=type(error).__name__)


async def page(pool: Pool, account_id: str, wanted: Wanted, cursor: str | None, limit: int) -> Page:
    """A page of an account's requests. Raises ApiError for a cursor that is none."""
    before = _id(cursors.decode(cursor, str)) if cursor else _first_of(wanted.until) if wanted.until else LAST
    if before is None:
        raise invalid("cursor", "is not a cursor of this collection; leave it out to start over.")
    after = _first_of(wanted.since) if wanted.since else FIRST
    looked_at = limit + 1 if wanted.is_all else LOOKED_AT
    rows = await store.page(pool, account_id, wanted, after, before, looked_at, limit + 1)
    last, count = rows[0]["last"], rows[0]["count"]
    found = [_request(row) for row in rows if row["id"]]
    if len(found) > limit:
        return Page(found[:limit], cursors.encode(found[limit - 1].id), None)
    if count < looked_at:
        return Page(found, None, None)
    return Page(found, cursors.encode(str(last)), _time(last))


async def get(pool: Pool, account_id: str, id: str) -> Request | None:
    """A request of an account, with its lines; None where it is not kept."""
    known = _id(id)
    row = await store.get(pool, account_id, known) if known else None
    return _request(row) if row else None


async def by_status(pool: Pool, account_id: str) -> dict[str, dict[int, int]]:
    """The requests of each key in the last `keys.IN_USE_DAYS`, by the first digit of their status."""
    found: dict[str, dict[int, int]] = {}
    for row in await store.counts(pool, account_id, keys.IN_USE_DAYS):
        found.setdefault(row["key_id"], {})[row["class"]] = row["requests"]
    return found


async def keep_deleting(pool: Pool, days: int) -> None:
    """Deletes requests that are older than `days`, for as long as the process lives, a few at a time."""

    async def delete() -> None:
        since: UUID | None = FIRST
        until = _first_of(datetime.now(UTC) - timedelta(days=days))
        while since:
            since = await store.delete_old(pool, since, until, DELETED_AT_ONCE)
        await store.delete_old_counts(pool, keys.IN_USE_DAYS)

    await repeat("delete_requests", DELETE_SECONDS, delete)


def _first_of(time: datetime) -> UUID:
    """Before every id of this time and later ones (RFC 9562 §5.7)."""
    return UUID(int=max(int(time.timestamp() * 1000), 0) << 80)


def _time(id: UUID) -> datetime:
    """When a request came, by its id."""
    return datetime.fromtimestamp((id.int >> 80) / 1000, UTC)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _request(row: asyncpg.Record) -> Request:
    lines = row.get("lines")
    values = {name: row[name] for name in Request.__struct_fields__ if name != "lines"}
    return Request(**values, lines=msgspec.json.decode(lines) if lines else None)
