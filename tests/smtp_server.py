"""A scripted SMTP server on loopback that records what it saw."""

import asyncio
import datetime
import inspect
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = str | bytes | None
"""What to say; None hangs up. A str gets its line ending, bytes are sent as they are."""


def tls_context(folder: Path) -> ssl.SSLContext:
    """A server's context with a self-signed certificate of a wrong name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "other.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@dataclass
class SmtpServer:
    """Takes `mailboxes`, refuses all others; each `on_…` overrides one answer.

    `sessions` holds, for each connection, the lines it sent; `tls` marks the lines sent encrypted; `ahead` is how many
    lines had been sent, at the most, before the one before them was answered. A server that is `curt` drops these.
    """

    mailboxes: set[str] = field(default_factory=set)
    catch_all: bool = False
    banner: Answer | Callable[[asyncio.StreamWriter], Awaitable[Answer]] = "220 mx.test ESMTP"
    ehlo: Answer = "250-mx.test\r\n250 8BITMIME"
    mail: Callable[[str, bool], Answer] = lambda line, secure: "250 2.1.0 ok"
    rcpt: Callable[[str], Answer] | None = None
    hangs: asyncio.Event | None = None
    silent: bool = False
    tls: ssl.SSLContext | None = None
    starttls: Answer = "220 go ahead"
    delay: float = 0
    curt: bool = False
    ahead: int = 0
    sessions: list[list[str]] = field(default_factory=list)
    encrypted: list[str] = field(default_factory=list)
    open: int = 0
    most_open: int = 0

    @property
    def lines(self) -> list[str]:
        return [line for session in self.sessions for line in session]

    def recipients(self) -> list[str]:
        return [line[9:-1] for line in self.lines if line.upper().startswith("RCPT TO:")]

    async def left(self) -> None:
        """Waits until all connections have ended."""
        async with asyncio.timeout(90):
            while self.open:
                await asyncio.sleep(0.01)

    async def start(self, ip: str, port: int = 0) -> int:
        self._server = await asyncio.start_server(self._serve, ip, port)
        return self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        session: list[str] = []
        self.sessions.append(session)
        try:
            await self._converse(reader, writer, session)
        except OSError:
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: list[str]) -> None:
        banner = await self.banner(writer) if callable(self.banner) else self.banner
        secure = False
        if not await self._say(writer, banner):
            return
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            session.append(line)
            unread: bytearray = reader._buffer  # type: ignore[attr-defined]
            self.ahead = max(self.ahead, unread.count(b"\n"))
            if self.curt:
                unread.clear()
            if secure:
                self.encrypted.append(line)
            answer = self._answer(line, secure)
            if inspect.isawaitable(answer):
                answer = await answer
            if not await self._say(writer, answer) or line.upper() == "QUIT":
                return
            if line.upper() == "STARTTLS" and str(answer).startswith("220"):
                if self.tls is None:
                    writer.write(b"this is no TLS record\r\n" * 20)
                    return
                await writer.start_tls(self.tls)
                secure = True

    async def _say(self, writer: asyncio.StreamWriter, answer: Answer) -> bool:
        if self.silent:
            await asyncio.sleep(3600)
        if self.delay:
            await asyncio.sleep(self.delay)
        if answer is None:
            return False
        writer.write(answer if isinstance(answer, bytes) else answer.encode() + b"\r\n")
        await writer.drain()
        return not str(answer).startswith("421")

    def _answer(self, line: str, secure: bool) -> Answer:
        verb = line.upper()
        if verb.startswith("EHLO"):
            offered = self.tls is not None and not secure
            return self.ehlo.replace("250 8BITMIME", "250-8BITMIME\r\n250 STARTTLS") if offered else self.ehlo
        if verb.startswith("HELO"):
            return "250 mx.test"
        if verb == "STARTTLS":
            return self.starttls
        if verb.startswith("MAIL"):
            return self.mail(line, secure)
        if verb.startswith("RCPT"):
            address = line[9:-1]
            if self.rcpt is not None and (said := self.rcpt(address)) != "":
                return said
            if self.catch_all or address in self.mailboxes:
                return "250 2.1.5 ok"
            return f"550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table"
        if verb == "RSET":
            return "250 ok"
        if verb == "QUIT":
            return "221 bye"
        return "502 5.5.2 what"


def greylisting() -> Callable[[str], str]:
    """A script of RCPT that puts each address off once, for a second."""
    seen: set[str] = set()

    def rcpt(address: str) -> str:
        if address in seen:
            return ""
        seen.add(address)
        return "451 4.7.1 Greylisted, please try again in 1 seconds"

    return rcpt
