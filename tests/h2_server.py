"""A vendor that speaks HTTP/2: a TLS server on loopback that chooses it by ALPN, and holds clients to the protocol."""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded, WindowUpdated
from h2.exceptions import ProtocolError, StreamClosedError
from hyperframe.frame import GoAwayFrame
from loopback import Loopback

Script = Callable[["Stream"], Awaitable[None]]


class Stream:
    """One request and the means to answer it."""

    def __init__(self, connection: "_Connection", id: int, headers: list[tuple[str, str]]) -> None:
        self._connection, self.id = connection, id
        self.headers = dict(headers)
        self.method, self.path = self.headers[":method"], self.headers[":path"]
        self.body = b""
        self.left = connection.left

    async def answer(self, status: int, body: bytes = b'{"ok":true}', kind: str = "application/json") -> None:
        await self.begin(status, kind)
        await self.send(body)
        self._connection.h2.end_stream(self.id)
        self._connection.flush()

    async def begin(self, status: int, kind: str = "application/json") -> None:
        self._connection.h2.send_headers(self.id, [(":status", str(status)), ("content-type", kind)])
        self._connection.flush()

    async def send(self, data: bytes) -> None:
        """Sends as the client's window allows."""
        h2 = self._connection.h2
        while data:
            size = min(h2.local_flow_control_window(self.id), h2.max_outbound_frame_size, len(data))
            if size:
                h2.send_data(self.id, data[:size])
                self._connection.flush()
                data = data[size:]
                await asyncio.sleep(0)
            else:
                self._connection.window.clear()
                await self._connection.window.wait()

    def refuse(self, code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        """Ends this stream without an answer, and nothing else."""
        self._connection.h2.reset_stream(self.id, code)
        self._connection.flush()

    def goodbye(self, last: int | None = None) -> None:
        """Says that this, or `last`, is the last stream of the connection; those up to it can still be answered."""
        frame = GoAwayFrame(0, last_stream_id=self.id if last is None else last)
        self._connection.writer.write(frame.serialize())

    def cut(self) -> None:
        """Ends the connection."""
        self._connection.writer.transport.abort()


class _Connection:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.writer = writer
        self.window = asyncio.Event()
        self.left = asyncio.Event()
        self.streams: dict[int, Stream] = {}
        self.h2.initiate_connection()

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())


class H2Server(Loopback):
    """Answers each request by the first script left, and by the last one for ever; remembers what it saw.

    It answers at the end of a request, or `early`, when its headers are there; and says its settings as the connection
    is made, unless it never `speaks_first`.
    """

    def __init__(self, *scripts: Script, certificate: Path, early: bool = False, speaks_first: bool = True) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        tls.set_alpn_protocols(["h2"])
        super().__init__(tls)
        self._early, self._speaks_first = early, speaks_first
        self._scripts = list(scripts)
        self.seen: list[Stream] = []
        self.connections = 0
        self.faults: list[ProtocolError] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = _Connection(writer)
        if self._speaks_first:
            connection.flush()
        try:
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
            self.connections += 1
            while data := await reader.read(65_536):
                self._hear(connection, data)
        except ProtocolError as fault:
            self.faults.append(fault)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            connection.left.set()
            writer.close()

    def _hear(self, connection: _Connection, data: bytes) -> None:
        for event in connection.h2.receive_data(data):
            match event:
                case RequestReceived(stream_id=id, headers=headers):
                    connection.streams[id] = Stream(connection, id, headers)
                    if self._early:
                        self._answer(connection.streams[id])
                case DataReceived() if self._early:
                    pass
                case DataReceived(stream_id=id, data=part, flow_controlled_length=length):
                    connection.streams[id].body += part
                    connection.h2.acknowledge_received_data(length, id)
                case StreamEnded(stream_id=id) if not self._early:
                    self._answer(connection.streams[id])
                case WindowUpdated():
                    connection.window.set()
                case _:
                    pass
        connection.flush()

    def _answer(self, stream: Stream) -> None:
        self.seen.append(stream)
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        task = asyncio.create_task(self._follow(script, stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, script: Script, stream: Stream) -> None:
        with contextlib.suppress(StreamClosedError):  # The client gave it up.
            await script(stream)
