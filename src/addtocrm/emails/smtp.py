"""One SMTP connection, bounded in bytes and seconds."""

import asyncio
import ssl
import time

from aiosmtplib import SMTPException, SMTPResponseException, SMTPServerDisconnected, SMTPTimeoutError
from aiosmtplib.protocol import SMTPProtocol

from addtocrm.emails.networks import is_public
from addtocrm.emails.replies import Reply, Stage, classify

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 15.0
GOODBYE_SECONDS = 2.0


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

    def __init__(self, protocol: SMTPProtocol, deadline: Deadline) -> None:
        self._protocol = protocol
        self._deadline = deadline
        self.extensions: frozenset[str] = frozenset()
        self.secure = False

    @classmethod
    async def open(cls, ip: str, port: int, *, private: bool, deadline: Deadline) -> "Session":
        """Connects. Raises SessionEnded (connection_failed); an address that is not public is never reached
        unless `private`."""
        loop = asyncio.get_running_loop()
        if not (private or is_public(ip)):
            raise SessionEnded(Reply("connection_failed"))
        try:
            async with asyncio.timeout(deadline.left(CONNECT_SECONDS)):
                _, protocol = await loop.create_connection(lambda: SMTPProtocol(loop=loop), ip, port)
        except OSError:
            raise SessionEnded(Reply("connection_failed")) from None
        return cls(protocol, deadline)

    async def greet(self, helo: str, *, tls: bool) -> None:
        """Banner, EHLO (HELO where that is refused), and STARTTLS where it is offered and `tls` is wanted.

        Raises SessionEnded.
        """
        code, text = await self._answer(None)
        if code != 220:
            raise SessionEnded(classify("connect", code, text) if code >= 400 else Reply("protocol_error"))
        await self._hello(helo)
        if tls and "STARTTLS" in self.extensions:
            await self.starttls(helo)

    async def starttls(self, helo: str) -> None:
        """Goes over to TLS and greets again (RFC 3207). Raises SessionEnded (tls_required where it fails)."""
        try:
            await self._protocol.start_tls(_lenient_tls(), timeout=max(self._deadline.left(COMMAND_SECONDS), 0.001))
        except (SMTPException, OSError):
            self.close()
            raise SessionEnded(Reply("tls_required")) from None
        self.secure = True
        await self._hello(helo)

    async def command(self, stage: Stage, line: str, address: str = "") -> Reply:
        """Sends a line, gives the classified reply. Raises SessionEnded where there is none to be had."""
        code, text = await self._answer(line)
        return classify(stage, code, text, address)

    async def quit(self) -> None:
        """Says goodbye, in GOODBYE_SECONDS at most, and closes."""
        self._deadline = Deadline(GOODBYE_SECONDS)
        try:
            await self._answer("RSET")
            await self._answer("QUIT")
        except SessionEnded:
            pass
        finally:
            self.close()

    def close(self) -> None:
        if self._protocol.transport is not None:
            self._protocol.transport.close()

    async def _hello(self, helo: str) -> None:
        code, text = await self._answer(f"EHLO {helo}")
        if 500 <= code < 600:
            self.extensions = frozenset()
            code, text = await self._answer(f"HELO {helo}")
        elif code == 250:
            self.extensions = frozenset(line.split(" ")[0].upper() for line in text.splitlines()[1:] if line)
        if code != 250:
            raise SessionEnded(classify("helo", code, text))

    async def _answer(self, line: str | None) -> tuple[int, str]:
        seconds = self._deadline.left(COMMAND_SECONDS)
        if seconds <= 0:
            raise SessionEnded(Reply("timeout"))
        try:
            if line is None:
                response = await self._protocol.read_response(timeout=seconds)
            else:
                response = await self._protocol.execute_command(line.encode(), timeout=seconds)
        except SMTPTimeoutError:
            self.close()
            raise SessionEnded(Reply("timeout")) from None
        except SMTPServerDisconnected:
            raise SessionEnded(Reply("connection_failed")) from None
        except (SMTPResponseException, OSError, ValueError):
            self.close()
            raise SessionEnded(Reply("protocol_error")) from None
        if not 200 <= response.code < 600:
            self.close()
            raise SessionEnded(Reply("protocol_error"))
        return response.code, response.message
