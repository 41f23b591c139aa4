"""Connections to checked addresses only: each name is resolved here, and what is connected to is what was checked."""

import asyncio
import os
import socket
import ssl
from collections.abc import Iterable
from functools import cache
from ipaddress import ip_address
from typing import Any, cast

import dns.asyncresolver
import dns.exception
import dns.nameserver
import httpcore2
import httpx2

from addtocrm.core.networks import is_public
from addtocrm.core.outgoing import http2

DNS_SECONDS = 5.0
KEEP_ALIVE_SECONDS = 15.0


class NotPublic(httpcore2.ConnectError):
    """The name leads to no public address."""


class CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """Resolves a name for each connection, by `servers` (`host:port`) or else by the system."""

    def __init__(self, servers: tuple[str, ...], *, allow_private: bool) -> None:
        self._inner = cast(httpcore2.AsyncNetworkBackend, httpcore2.AnyIOBackend())
        self._allow_private = allow_private
        self._resolver = _resolver(servers) if servers else None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Tries the allowed addresses in the order of the answer. Raises NotPublic where there is none."""
        try:
            async with asyncio.timeout(timeout):
                found = await self._addresses(host, port)
                allowed = [address for address in found if self._allow_private or is_public(address)]
                if not allowed:
                    raise NotPublic("the name leads to no public address" if found else "the name has no address")
                for address in allowed[:-1]:
                    try:
                        return await self._inner.connect_tcp(
                            address, port, _part(timeout, len(allowed)), local_address, socket_options
                        )
                    except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                        continue
                return await self._inner.connect_tcp(allowed[-1], port, timeout, local_address, socket_options)
        except TimeoutError:
            raise httpcore2.ConnectTimeout("no connection in time") from None

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[str]:
        try:
            return [str(ip_address(host.strip("[]")))]
        except ValueError:
            pass
        try:
            if self._resolver:
                return list((await self._resolver.resolve_name(host)).addresses())
            infos = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            return list(dict.fromkeys(str(info[4][0]).partition("%")[0] for info in infos))
        except (OSError, dns.exception.DNSException):
            raise httpcore2.ConnectError("the name cannot be resolved") from None


class CheckedTransport(httpx2.AsyncHTTPTransport):
    """httpx2's transport over a CheckedNetwork; over TLS by HTTP/2 where the vendor has it."""

    def __init__(self, network: CheckedNetwork, *, connections: int) -> None:
        http2.install()
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_trusted(os.environ.get("SSL_CERT_FILE")),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=KEEP_ALIVE_SECONDS,
            http1=True,
            http2=True,
            network_backend=network,
        )


@cache
def _trusted(authorities: str | None) -> ssl.SSLContext:
    """One for all vendors: reading the `authorities` takes long."""
    return httpx2.create_ssl_context()


def _part(timeout: float | None, addresses: int) -> float | None:
    return timeout and timeout / addresses


def _resolver(servers: tuple[str, ...]) -> dns.asyncresolver.Resolver:
    resolver = dns.asyncresolver.Resolver(configure=False)
    parts = (server.rpartition(":") for server in servers)
    resolver.nameservers = [dns.nameserver.Do53Nameserver(host.strip("[]"), int(port)) for host, _, port in parts]
    resolver.lifetime = DNS_SECONDS
    resolver.cache = None
    return resolver
