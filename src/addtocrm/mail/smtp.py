"""One SMTP connection, bounded in bytes and seconds."""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Sequence

from addtocrm.core.networks import is_public
from addtocrm.mail.replies import Reply, Stage, classify

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 15.0
FLIGHT_SECONDS = 5.0
"""For a reply to a command that was sent together with others; some servers that offer it lose what they got."""
GOODBYE_SECONDS = 2.0
LINE_BYTES = 8192
REPLY_BYTES = 32_768
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class SessionEnded(Exception):
    """The server, or what it sent, makes it impossible to go on; `reply` says how."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.outcome)
        self.reply = reply


class Deadline:
    """A point in time that everything has to keep to."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def extend(self, seconds: float) -> None:
        self._at += seconds

    def at_least(self, seconds: float) -> None:
        """Puts it off so that so many are left."""
        self._at = max(self._at, time.monotonic() + seconds)

    def left(self, at_most: float | None = None) -> float:
        """Seconds left, never negative."""
        left = max(0.0, self._at - time.monotonic())
        return left if at_most is None else min(left, at_most)


def _lenient_tls() -> ssl.SSLContext:
    """Encryption without proof of identity, as RFC 7435 describes: nothing secret is sent in a probe."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


class Session:
    """A connection to one IP address. A reply is at most 32 KB; a command takes at most COMMAND_SECONDS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deadline: Deadline) -> None:
        self._reader = reader
        self._writer = writer
        self._deadline = deadline
        self.extensions: frozenset[str] = frozenset()
        self.secure = False

    @classmethod
    async def open(cls, ip: str, port: int, *, private: bool, deadline: Deadline) -> "Session":
        """Connects. Raises SessionEnded (connection_failed); an address that is not public is never reached
        unless `private`."""
        if not (private or is_public(ip)):
            raise SessionEnded(Reply("connection_failed"))
        try:
            async with asyncio.timeout(deadline.left(CONNECT_SECONDS)):
                reader, writer = await asyncio.open_connection(ip, port, limit=LINE_BYTES)
        except OSError:
            raise SessionEnded(Reply("connection_failed")) from None
        return cls(reader, writer, deadline)

    async def greet(self, helo: str, *, tls: bool) -> None:
        """Banner, EHLO (HELO where that is refused), and STARTTLS where it is offered and `tls` is wanted.

        Raises SessionEnded.
        """
        code, text = await self._reply()
        if code != 220:
            raise SessionEnded(classify("connect", code, text) if code >= 400 else Reply("protocol_error"))
        await self._hello(helo)
        if tls and "STARTTLS" in self.extensions:
            await self.starttls(helo)

    async def starttls(self, helo: str) -> None:
        """Goes over to TLS and greets again (RFC 3207). Raises SessionEnded (tls_required where it fails)."""
        code, _ = await self._answer("STARTTLS")
        if code != 220:
            self.close()
            raise SessionEnded(Reply("tls_required"))
        try:
            async with asyncio.timeout(self._deadline.left(COMMAND_SECONDS)):
                await self._writer.start_tls(_lenient_tls())
        except OSError:
            self.close()
            raise SessionEnded(Reply("tls_required")) from None
        self.secure = True
        await self._hello(helo)

    async def command(self, stage: Stage, line: str, address: str = "") -> Reply:
        """Sends a line, gives the classified reply. Raises SessionEnded where there is none to be had."""
        code, text = await self._answer(line)
        return classify(stage, code, text, address)

    async def recipients(self, addresses: Sequence[str]) -> AsyncIterator[Reply]:
        """RCPT TO for each address, together (RFC 2920); gives the replies in turn. Raises SessionEnded."""
        self._send(*(f"RCPT TO:<{address}>" for address in addresses))
        for number, address in enumerate(addresses):
            code, text = await self._reply(COMMAND_SECONDS if number == 0 else FLIGHT_SECONDS)
            yield classify("rcpt", code, text, address)

    async def quit(self) -> None:
        """Says goodbye, in GOODBYE_SECONDS at most, and closes."""
        self._deadline = Deadline(GOODBYE_SECONDS)
        try:
            if "PIPELINING" in self.extensions:
                self._send("RSET", "QUIT")
                await self._reply()
                await self._reply()
            else:
                await self._answer("RSET")
                await self._answer("QUIT")
        except SessionEnded:
            pass
        finally:
            self.close()

    def close(self) -> None:
        self._writer.close()

    async def _hello(self, helo: str) -> None:
        code, text = await self._answer(f"EHLO {helo}")
        if 500 <= code < 600:
            self.extensions = frozenset()
            code, text = await self._answer(f"HELO {helo}")
        elif code == 250:
            self.extensions = frozenset(line.split(" ")[0].upper() for line in text.splitlines()[1:] if line)
        if code != 250:
            raise SessionEnded(classify("helo", code, text))

    async def _answer(self, line: str) -> tuple[int, str]:
        self._send(line)
        return await self._reply()

    def _send(self, *lines: str) -> None:
        """Sends commands; one that would be taken for several is not sent."""
        if self._writer.is_closing():
            raise SessionEnded(Reply("connection_failed"))
        if CONTROL.search("".join(lines)):
            raise SessionEnded(Reply("protocol_error"))
        self._writer.write("".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape"))

    async def _reply(self, at_most: float = COMMAND_SECONDS) -> tuple[int, str]:
        """The next reply, its lines joined (RFC 5321 §4.2)."""
        seconds = self._deadline.left(at_most)
        try:
            if seconds <= 0:
                raise TimeoutError
            async with asyncio.timeout(seconds):
                code, text = await self._read()
        except TimeoutError:
            self.close()
            raise SessionEnded(Reply("timeout")) from None
        except OSError:
            self.close()
            raise SessionEnded(Reply("connection_failed")) from None
        except ValueError:
            self.close()
            raise SessionEnded(Reply("protocol_error")) from None
        return code, text

    async def _read(self) -> tuple[int, str]:
        """Raises ConnectionError where the server has hung up, ValueError for what is no reply."""
        lines: list[str] = []
        size = 0
        while True:
            line = await self._reader.readline()
            if not line.endswith(b"\n"):
                raise ConnectionResetError
            size += len(line)
            code = int(line[:3])
            if size > REPLY_BYTES or not 200 <= code < 600:
                raise ValueError(line)
            lines.append(line[4:].decode("utf-8", "surrogateescape").strip())
            if line[3:4] != b"-":
                return code, "\n".join(lines)
