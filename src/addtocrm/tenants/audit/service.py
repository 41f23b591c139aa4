"""The audit log: sensitive actions of people, which nothing changes afterwards."""

from typing import Any

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.ids import new_id
from addtocrm.tenants.audit import store
from addtocrm.tenants.audit.model import Action, Entry


async def note(
    pool: Pool | Connection, account_id: str, actor: str, action: Action, address: str, **detail: Any
) -> None:
    """Keeps that `actor` (`user:<id>`) did something, from `address`. `detail` holds no secret."""
    await store.insert(pool, new_id("aud"), account_id, actor, action, detail, address)


async def page(pool: Pool, account_id: str, before: str | None = None, limit: int = 50) -> list[Entry]:
    """An account's entries, the newest first; `before` is the id of the last one of the page before."""
    return await store.page(pool, account_id, before, limit)
