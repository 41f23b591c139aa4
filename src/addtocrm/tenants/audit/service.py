"""The audit log: sensitive actions of people, which nothing changes afterwards."""

from datetime import timedelta
from typing import Any

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.ids import new_id
from addtocrm.tenants.audit import store
from addtocrm.tenants.audit.model import Action, By, Entry, OperatorEntry

NOBODY = "nobody"
"""The actor of a sign-in that failed."""
FAILURES_KEPT = timedelta(days=90)


async def note(
    pool: Pool | Connection, account_id: str, actor: str, action: Action, address: str, **detail: Any
) -> None:
    """Keeps that `actor` (`user:<id>`, `operator`, NOBODY) did something, from `address`. `detail` holds no secret."""
    await store.insert(pool, new_id("aud"), account_id, actor, action, detail, address)


async def page(pool: Pool, account_id: str, before: str | None = None, limit: int = 50) -> list[Entry]:
    """An account's own entries, the newest first; `before` is the id of the last one of the page before."""
    return await store.page(pool, account_id, before, limit)


async def note_operator(
    connection: Pool | Connection, account_id: str, action: Action, by: By, before: Any = None, after: Any = None
) -> None:
    """Keeps what an operator did to an account: what was before, and what is after."""
    detail = {"before": before, "after": after, "reason": by.reason}
    await note(connection, account_id, by.actor, action, by.address, **detail)


async def of_operators(
    pool: Pool, account_id: str | None = None, before: str | None = None, limit: int = 50
) -> list[OperatorEntry]:
    """What operators did (to one account), the newest first; `before` as with `page`."""
    return await store.of_operators(pool, account_id, before, limit)


async def delete_failures(pool: Pool) -> None:
    """Deletes failed sign-ins of long ago, of which anybody can make many."""
    await store.delete_failures(pool, FAILURES_KEPT)
