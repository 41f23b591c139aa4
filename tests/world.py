"""A small Internet on loopback: a DNS server and mail servers, torn down after the test."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from dns_server import DnsServer
from smtp_server import SmtpServer

from addtocrm.core.settings import Settings
from addtocrm.mail.engine import BUDGET_SECONDS, Engine
from addtocrm.mail.model import Verification
from addtocrm.mail.politeness import LocalSlots

T = TypeVar("T")


class Asker(Engine):
    """An engine that gives bare verifications."""

    async def verify(self, address: str, *, budget_seconds: float = BUDGET_SECONDS) -> Verification:
        return (await self.check([address], budget_seconds=budget_seconds))[0].verification

    async def verify_domain(
        self, addresses: Sequence[str], *, budget_seconds: float = BUDGET_SECONDS
    ) -> list[Verification]:
        checked = await self.check(addresses, budget_seconds=budget_seconds)
        return [one.verification for one in checked]


class World:
    """Mail servers at 127.0.0.2, .3 …, all on one port, known to one DNS server."""

    def __init__(self, dns: DnsServer, address: str) -> None:
        self.dns = dns
        self.dns_address = address
        self.servers: list[SmtpServer] = []
        self.port = 0

    async def server(self, *domains: str, **script: Any) -> SmtpServer:
        """A server that takes the mail of `domains`."""
        server = SmtpServer(**script)
        ip = f"127.0.0.{len(self.servers) + 2}"
        self.port = await server.start(ip, self.port)
        self.servers.append(server)
        for domain in domains:
            self.dns.add(domain, ip)
        return server

    def engine(self, *, private: bool = True, **slots: Any) -> Asker:
        settings = Settings(
            dns_servers=(self.dns_address,),
            smtp_port=self.port or 1,
            smtp_helo="probe.test",
            allow_private_networks=private,
        )
        return Asker(settings, LocalSlots(**({"pause": 0} | slots)))


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    dns = DnsServer()
    made = World(dns, await dns.start())
    try:
        yield made
    finally:
        for server in made.servers:
            await server.stop()
        await dns.stop()


def in_world(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs an async test with a fresh World as its first argument."""

    def run(**arguments: Any) -> None:
        async def body() -> None:
            async with world() as made:
                await test(made, **arguments)

        asyncio.run(body())

    import inspect

    parameters = list(inspect.signature(test).parameters.values())[1:]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


class WorldBeside:
    """A World on a thread of its own, for tests that talk to a server process."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._world = world()
        self.world = self._run(self._world.__aenter__())
        self.server("first.test")

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    def server(self, *domains: str, **script: Any) -> SmtpServer:
        return self._run(self.world.server(*domains, **script))

    @property
    def environment(self) -> dict[str, str]:
        """The settings with which AddToCRM lives in this world."""
        return {
            "ADDTOCRM_DNS_SERVERS": self.world.dns_address,
            "ADDTOCRM_SMTP_PORT": str(self.world.port),
            "ADDTOCRM_SMTP_HELO": "probe.test",
            "ADDTOCRM_ALLOW_PRIVATE_NETWORKS": "true",
        }

    def close(self) -> None:
        async def end() -> None:
            await self._world.__aexit__(None, None, None)
            conversations = asyncio.all_tasks() - {asyncio.current_task()}
            for conversation in conversations:
                conversation.cancel()
            await asyncio.gather(*conversations, return_exceptions=True)

        self._run(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
