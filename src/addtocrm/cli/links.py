"""Links into the dashboard that work once."""

import asyncio

from addtocrm.core.db.pool import Pool, open_pool
from addtocrm.core.settings import Settings
from addtocrm.dashboard.pages.joining import address_for
from addtocrm.tenants.members import service as members
from addtocrm.tenants.members.model import Link


def setup_link(settings: Settings, database_url: str) -> str | None:
    """Where the first owner is made, as long as nobody can sign in; None afterwards."""

    async def made() -> str | None:
        pool = await open_pool(database_url, size=1)
        try:
            if not await members.nobody_can_sign_in(pool):
                return None
            return address_for(
                settings.base_url, "setup", await members.link(pool, Link("setup", None, None, None, None))
            )
        finally:
            await pool.close()

    return asyncio.run(made())


async def sign_in_link(settings: Settings, pool: Pool, account_id: str) -> str:
    """Where the first owner of an account is signed in."""
    async with pool.acquire() as connection:
        owner = (await members.owners(connection, account_id))[0]
    token = await members.link(pool, Link("sign_in", None, owner.id, None, None))
    return address_for(settings.base_url, "sign_in", token)
