"""A DNS server on loopback that answers from a table, over UDP and TCP."""

import asyncio
from collections import Counter

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

TRUNCATED_UNDER = 512


class DnsServer:
    """`records[(name, type)]` is a list of rdata texts; a name in `faults` is answered with that fault.

    A fault is "servfail", "silent" or "truncate" (over UDP). `queries` counts (name, type, transport).
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.faults: dict[str, str] = {}
        self.ttl = 300
        self.queries: Counter[tuple[str, str, str]] = Counter()

    def add(self, domain: str, ip: str, *, mx: str | None = None) -> None:
        """A domain with one MX at `ip`."""
        host = mx or f"mx.{domain}"
        self.records[domain, "MX"] = [f"10 {host}."]
        self.records[host, "A"] = [ip]

    async def start(self) -> str:
        loop = asyncio.get_running_loop()
        while True:
            self._tcp = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            port = self._tcp.sockets[0].getsockname()[1]
            try:
                self._udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), ("127.0.0.1", port))
            except OSError:  # The port is somebody else's for UDP.
                self._tcp.close()
            else:
                return f"127.0.0.1:{port}"

    async def stop(self) -> None:
        self._udp.close()
        self._tcp.close()

    def answer(self, wire: bytes, transport: str) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.queries[name, kind, transport] += 1
        fault = self.faults.get(name)
        if fault == "silent":
            return None
        response = dns.message.make_response(query)
        if fault == "servfail":
            response.set_rcode(dns.rcode.SERVFAIL)
        elif fault == "truncate" and transport == "udp":
            response.flags |= dns.flags.TC
        else:
            self._fill(response, name, kind)
        return response.to_wire()

    def _fill(self, response: dns.message.Message, name: str, kind: str) -> None:
        while alias := self.records.get((name, "CNAME")):
            response.answer.append(dns.rrset.from_text(name + ".", self.ttl, "IN", "CNAME", *alias))
            name = alias[0].rstrip(".")
        if found := self.records.get((name, kind)):
            response.answer.append(dns.rrset.from_text(name + ".", self.ttl, "IN", kind, *found))
        elif not any(known == name or known.endswith("." + name) for known, _ in self.records):
            response.set_rcode(dns.rcode.NXDOMAIN)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                wire = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
                answer = self.answer(wire, "tcp")
                if answer is not None:
                    writer.write(len(answer).to_bytes(2, "big") + answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.answer(data, "udp")
        if answer is not None:
            self._transport.sendto(answer, addr)
