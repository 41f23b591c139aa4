"""A vendor at its worst: an HTTP server on loopback whose every connection follows a script."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from loopback import Loopback

Script = Callable[["Talk"], Awaitable[None]]


class Talk:
    """One request and the raw means to answer it."""

    def __init__(self, server: "VendorServer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.method = self.path = ""
        self.headers: dict[str, str] = {}
        self.body = b""

    async def read(self) -> bool:
        line = (await self.reader.readline()).decode()
        if not line:
            return False
        self.method, self.path, _ = line.split(" ", 2)
        self.headers = {}
        while (line := (await self.reader.readline()).decode().strip()) != "":
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self.body = await self.reader.readexactly(int(self.headers.get("content-length", 0)))
        return True

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: int, body: bytes = b"", kind: str = "application/json", **headers: str) -> None:
        head = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
        if kind:
            head.append(f"content-type: {kind}")
        head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.raw("\r\n".join(head).encode() + b"\r\n\r\n" + body)


class VendorServer(Loopback):
    """Answers each request by the first script left, and by the last one for ever; remembers what it saw."""

    def __init__(
        self, *scripts: Script, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        super().__init__(tls, host, port)
        self._scripts = list(scripts)
        self.seen: list[Talk] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                talk = Talk(self, reader, writer)
                if not await talk.read():
                    break
                self.seen.append(talk)
                script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
                await script(talk)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
