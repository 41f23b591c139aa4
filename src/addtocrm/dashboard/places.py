"""Where people who were found may go."""

from typing import Any

from addtocrm.core.db.pool import Pool
from addtocrm.crm import connections
from addtocrm.lists import service as lists

MOST_LISTS = 100


async def places(pool: Pool, account_id: str) -> dict[str, Any]:
    """`crm`, the active one or None, and `lists`, for a page."""
    known, _ = await lists.page(pool, account_id, None, MOST_LISTS)
    return {"crm": connections.active_of(await connections.all_of(pool, account_id)), "lists": known}
