"""Mail servers that take their time, and the DNS server that knows them: `python -m bench.mail`."""

import asyncio
import math
from typing import Any

import dns.message
import dns.rdatatype
import dns.rrset

HOSTS = 200
DELAY = 0.3
DNS_PORT, SMTP_PORT = 8920, 8921
CONNECTIONS, RECIPIENTS = 100, 10


def ideal(addresses: int) -> float:
    """Seconds of a schedule without any loss: one connection a host, CONNECTIONS at a time, and on each of them a
    banner, EHLO, MAIL, the recipients and a random one, QUIT; one answer takes DELAY."""
    each = math.ceil(addresses / HOSTS)
    replies = math.ceil(each / RECIPIENTS) * 5 + each
    return math.ceil(HOSTS / CONNECTIONS) * replies * DELAY


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes addresses that begin with p, refuses all others."""
    answer = "220 mx.test ESMTP"
    line = ""
    while True:
        await asyncio.sleep(DELAY)
        writer.write(answer.encode() + b"\r\n")
        if line == "QUIT" or not (read := await reader.readline()):
            break
        line = read.decode().strip().upper()
        known = not line.startswith("RCPT") or line.startswith("RCPT TO:<P")
        answer = "250 2.1.0 ok" if known else "550 5.1.1 no such user"
    writer.close()


class Dns(asyncio.DatagramProtocol):
    """h<n>.test has its mail server at 127.1.0.<n + 1>."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        response = dns.message.make_response(dns.message.from_wire(data))
        question = response.question[0]
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        number = int("".join(filter(str.isdigit, name)) or 0)
        records = {"MX": f"10 mx{number}.test.", "A": f"127.1.0.{number + 1}"}
        if kind in records:
            response.answer.append(dns.rrset.from_text(name, 300, "IN", kind, records[kind]))
        self.transport.sendto(response.to_wire(), addr)


async def main() -> None:
    loop = asyncio.get_running_loop()
    for number in range(HOSTS):
        await asyncio.start_server(converse, f"127.1.0.{number + 1}", SMTP_PORT)
    await loop.create_datagram_endpoint(Dns, ("127.0.0.1", DNS_PORT))
    await (await asyncio.start_server(converse, "127.0.0.1", DNS_PORT)).serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
