"""Where a domain takes its mail (RFC 5321 §5.1, RFC 7505)."""

import random
import socket
from collections.abc import Sequence
from typing import Literal, cast

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver
import msgspec
from dns.rdtypes.ANY.MX import MX

from addtocrm.core.settings import host_and_port

CACHE_ENTRIES = 20_000
QUERY_SECONDS = 2.0

RouteStatus = Literal["found", "domain_not_found", "null_mx", "no_mail_server", "dns_error", "dns_timeout"]
LookupStatus = Literal["found", "no_name", "no_data", "dns_error", "dns_timeout"]


PASSING: tuple[LookupStatus, ...] = ("dns_timeout", "dns_error")


class Route(msgspec.Struct, frozen=True):
    """The hosts that take a domain's mail, best first; empty unless `status` is found.

    domain_not_found, null_mx and no_mail_server are final; dns_error and dns_timeout say nothing.
    """

    status: RouteStatus
    hosts: tuple[str, ...] = ()


class Addresses(msgspec.Struct, frozen=True):
    """The IP addresses of a host, IPv4 first; empty unless `status` is found."""

    status: LookupStatus
    ips: tuple[str, ...] = ()


class MailDns:
    """Looks up mail routes with the given resolvers (`host:port`), or with the system's.

    Answers are kept for their TTL, at most 20,000 of them.
    """

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        self._resolver.cache = dns.resolver.LRUCache(CACHE_ENTRIES)
        self._resolver.timeout = QUERY_SECONDS
        if servers:
            self._resolver.nameservers = [_nameserver(server) for server in servers]

    async def route(self, domain: str, seconds: float) -> Route:
        """Who takes the mail of `domain` (ASCII), found within `seconds`."""
        status, answer = await self._lookup(domain, "MX", seconds)
        if status == "found" and answer is not None:
            return _by_preference([cast(MX, record) for record in answer])
        if status == "no_name":
            return Route("domain_not_found")
        if status != "no_data":
            return Route(status)
        addresses = await self.addresses(domain, seconds)
        if addresses.status == "found":
            return Route("found", (domain,))
        if addresses.status in ("dns_error", "dns_timeout"):
            return Route(addresses.status)
        return Route("no_mail_server")

    async def addresses(self, host: str, seconds: float) -> Addresses:
        """The IP addresses of `host`, CNAMEs followed, found within `seconds`."""
        ips: list[str] = []
        statuses: list[LookupStatus] = []
        for kind in ("A", "AAAA"):
            status, answer = await self._lookup(host, kind, seconds)
            statuses.append(status)
            if answer is not None:
                ips += sorted(record.to_text() for record in answer)
        if ips:
            return Addresses("found", tuple(ips))
        passing: list[LookupStatus] = [status for status in PASSING if status in statuses]
        return Addresses(passing[0] if passing else statuses[0])

    async def _lookup(self, name: str, kind: str, seconds: float) -> tuple[LookupStatus, dns.resolver.Answer | None]:
        if seconds <= 0:
            return "dns_timeout", None
        try:
            answer = await self._resolver.resolve(name, kind, search=False, lifetime=seconds, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return "no_name", None
        except dns.exception.Timeout:
            return "dns_timeout", None
        except (dns.exception.DNSException, OSError):
            return "dns_error", None
        return ("found", answer) if answer.rrset else ("no_data", None)


def _by_preference(records: list[MX]) -> Route:
    """RFC 5321 §5.1: lowest preference first, equal ones in random order; RFC 7505: "." alone is no mail."""
    real = [record for record in records if record.exchange != dns.name.root]
    if not real:
        return Route("null_mx")
    random.shuffle(real)
    real.sort(key=lambda record: record.preference)
    names = (record.exchange.to_text(omit_final_dot=True).lower() for record in real)
    return Route("found", tuple(dict.fromkeys(names)))


def _nameserver(server: str) -> dns.nameserver.Nameserver:
    host, port = host_and_port(server, 53)
    return dns.nameserver.Do53Nameserver(str(socket.getaddrinfo(host, port)[0][4][0]), port)
