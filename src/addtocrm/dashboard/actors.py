"""Who did something, in words."""

from addtocrm.core.db.pool import Pool
from addtocrm.tenants.keys import service as keys
from addtocrm.tenants.members import service as members


async def names(pool: Pool, account_id: str) -> dict[str, str]:
    """What each actor of an account is called: members by their email, API keys by their name."""
    people = {f"user:{one.id}": one.email for one in await members.of_account(pool, account_id)}
    tools = {f"key:{one.id}": one.name for one in await keys.of_account(pool, account_id)}
    return {**people, **tools, "operator": "Operator", "system": "AddToCRM"}
