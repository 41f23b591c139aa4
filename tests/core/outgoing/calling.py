"""A vendor's account, and answers for it."""

import asyncio
from collections.abc import Awaitable, Callable

from vendor_server import Script, Talk

from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.quotas import MemoryQuotas
from addtocrm.core.outgoing.vendor import Account, Vendor
from addtocrm.core.settings import Settings

VENDOR = Vendor(name="acme", connect_seconds=60, read_seconds=20)
ACCOUNT = Account(VENDOR, "portal-1")


def saying(status: int, body: bytes = b'{"ok":true}', kind: str = "application/json", **headers: str) -> Script:
    async def script(talk: Talk) -> None:
        await talk.answer(status, body, kind, **headers)

    return script


async def cut(talk: Talk) -> None:
    """Ends the connection after the request was read: nobody knows whether it was done."""
    talk.writer.transport.abort()
    raise ConnectionError


def run(
    test: Callable[[Outgoing], Awaitable[None]], *, private: bool = True, dns_servers: tuple[str, ...] = ()
) -> None:
    async def body() -> None:
        settings = Settings(allow_private_networks=private, dns_servers=dns_servers)
        outgoing = Outgoing(settings, MemoryQuotas())
        try:
            await test(outgoing)
        finally:
            await outgoing.close()

    asyncio.run(body())
