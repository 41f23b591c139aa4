"""What CRM work is done with, in a server's process or for one command."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from addtocrm.core.db.notify import Listener
from addtocrm.core.db.pool import Pool, open_pool
from addtocrm.core.outgoing import quotas
from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.leases import Leases
from addtocrm.core.settings import Settings
from addtocrm.privacy import service as suppressions


class Setup(msgspec.Struct, frozen=True):
    """The database, the way out to vendors and the leases of one process."""

    settings: Settings
    pool: Pool
    outgoing: Outgoing
    leases: Leases


@asynccontextmanager
async def opened(url: str, settings: Settings, *, size: int = 4) -> AsyncIterator[Setup]:
    """A setup of its own on the database at `url`, with up to `size` connections and one more for notices."""

    def hear(kind: str, subject: str) -> None:
        if kind == "lease":
            leases.freed(subject)

    pool = await open_pool(url, size=size, session=await suppressions.session(url, settings.data_dir))
    listener = Listener(url, hear, lambda: None)
    leases = Leases(pool, listener.instance)
    await listener.start()
    outgoing = Outgoing(settings, quotas.shared(settings.valkey_url, pool))
    try:
        yield Setup(settings, pool, outgoing, leases)
    finally:
        await outgoing.close()
        await listener.stop()
        await pool.close()
