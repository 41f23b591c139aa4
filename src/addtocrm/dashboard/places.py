"""Where people who were found may go."""

from typing import Any

from addtocrm.core.db.pool import Pool
from addtocrm.crm import connections
from addtocrm.lists import service as lists


async def places(pool: Pool, account_id: str) -> dict[str, Any]:
    """`crm`, the active one or None, and `lists`, the newest first, for a page."""
    active = connections.active_of(await connections.all_of(pool, account_id))
    return {"crm": active, "lists": await lists.choices(pool, account_id)}
