"""One process of callers of a vendor: `python -m bench.calling DATABASE_URL VENDOR_URL CALLERS`, each for one call."""

import asyncio
import sys

from addtocrm.core.db.pool import open_pool
from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.quotas import PostgresQuotas
from addtocrm.core.outgoing.vendor import Account, Quota, Vendor, Window
from addtocrm.core.settings import Settings

ACCOUNT = Account(Vendor(name="acme", quota=Quota((Window(10, 1),))), "portal-1")


async def main(database_url: str, url: str, callers: int) -> None:
    pool = await open_pool(database_url, size=2)
    outgoing = Outgoing(Settings(allow_private_networks=True), PostgresQuotas(pool))
    calls = (outgoing.call(ACCOUNT, "GET", url, wait=300, within=300) for _ in range(callers))
    await asyncio.gather(*calls)
    await outgoing.close()
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
