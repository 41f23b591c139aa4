"""HTTP/2 connections that many calls share, and on which none is another's failure.

The library's connection reads only while a call waits for its answer, and one call's end is felt by the others: its
silence ends the connection, what is read or written as it is called off is lost to all, and a GOAWAY ends also those
that the vendor goes on to answer. Here one task reads as long as the connection lives.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any, cast

import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import httpcore2
from httpcore2._async import http2 as library  # pyright: ignore[reportPrivateUsage]

STREAMS = 100
"""So many calls at a time the library makes on a connection, where the vendor allows them."""
FLUSH_SECONDS = 1.0
NONE = httpcore2.Request("GET", "https://none.invalid/", extensions={"timeout": {"write": 30.0}})
"""No request: what is read and written for the connection itself."""


class NotProcessed(httpcore2.RemoteProtocolError):
    """The vendor says that it did nothing for this request (RFC 9113 §8.7)."""


class _State(h2.connection.H2Connection):
    """Goes on after a GOAWAY: the streams that it names are answered to their end (RFC 9113 §6.8)."""

    def _receive_goaway_frame(self, frame: Any) -> tuple[list[Any], list[h2.events.Event]]:
        event = h2.events.ConnectionTerminated()
        event.last_stream_id = frame.last_stream_id
        return [], [event]


class Connection(httpcore2.AsyncHTTP2Connection):
    """One that is left for another where it is full, ends, or has been silent for the whole of a call."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._h2_state = _State(config=self.CONFIG)
        self._queued: set[httpcore2.Request] = set()
        self._sent: dict[int, float] = {}
        self._heard = time.monotonic()
        self._last_stream = 2**31
        self._news = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._writers: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response:
        if self._connection_error or self._is_full():
            raise httpcore2.ConnectionNotAvailable
        self._queued.add(request)
        try:
            return await super().handle_async_request(request)
        except h2.exceptions.ProtocolError as error:
            raise httpcore2.LocalProtocolError(error) from None
        finally:
            self._queued.discard(request)

    def is_available(self) -> bool:
        return super().is_available() and not self._is_full()

    def _is_full(self) -> bool:
        """Whether a call would wait for the end of another one."""
        allowed = min(STREAMS, self._h2_state.remote_settings.max_concurrent_streams)
        return len(self._queued) + len(self._events) >= allowed

    async def _send_request_headers(self, request: httpcore2.Request, stream_id: int) -> None:
        self._queued.discard(request)
        self._sent[stream_id] = time.monotonic()
        await super()._send_request_headers(request, stream_id)

    async def _write_outgoing_data(self, request: httpcore2.Request) -> None:
        """Writes to the end also where the call is called off: what compresses the headers must stay the same here and
        there."""
        await asyncio.shield(_kept(self._writers, super()._write_outgoing_data(request)))

    async def _wait_for_outgoing_flow(self, request: httpcore2.Request, stream_id: int) -> int:
        def flow() -> int:
            window = self._h2_state.local_flow_control_window(stream_id)
            return max(min(window, self._h2_state.max_outbound_frame_size), 0)

        await self._until(flow, request, stream_id)
        return flow()

    async def _receive_stream_event(
        self, request: httpcore2.Request, stream_id: int
    ) -> h2.events.ResponseReceived | h2.events.DataReceived | h2.events.StreamEnded:
        await self._until(lambda: self._events[stream_id], request, stream_id)
        event = self._events[stream_id].pop(0)
        if isinstance(event, h2.events.StreamReset):
            refused = event.error_code == h2.errors.ErrorCodes.REFUSED_STREAM
            raise NotProcessed(event) if refused else httpcore2.RemoteProtocolError(event)
        return event

    async def _until(self, there: Callable[[], object], request: httpcore2.Request, stream_id: int) -> None:
        """Reads until `there` is something, for as long as the request lets the vendor be silent."""
        if self._reader is None:
            self._reader = asyncio.create_task(self._read())
        timeouts: dict[str, float] = cast("dict[str, Any]", request.extensions).get("timeout", {})
        try:
            async with asyncio.timeout(timeouts.get("read")):
                while not there():
                    if stream_id > self._last_stream:
                        raise NotProcessed("the connection ended before this request")
                    if self._reader.done():
                        raise self._read_exception or httpcore2.RemoteProtocolError("the connection was closed")
                    await self._news.wait()
                    await self._write_outgoing_data(request)
        except TimeoutError:
            raise httpcore2.ReadTimeout from None

    async def _read(self) -> None:
        try:
            while True:
                await self._receive_events(NONE)
                self._heard = time.monotonic()
                if self._connection_terminated is not None:
                    self._last_stream = min(self._last_stream, self._connection_terminated.last_stream_id or 0)
                    self._connection_terminated = None
                    await self._leave()
                self._news.set()
                self._news = asyncio.Event()
        except h2.exceptions.ProtocolError as error:
            self._read_exception = httpcore2.RemoteProtocolError(error)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as error:
            self._read_exception = error
        finally:
            self._news.set()
        await self._leave()

    async def _leave(self) -> None:
        """Takes no more calls, and closes the connection where none is under way."""
        self._connection_error = True
        if not self._events and not self._queued:
            await super().aclose()

    async def _response_closed(self, stream_id: int) -> None:
        """Tells the vendor where an answer is not waited for any more.

        The vendor else goes on with it, the stream counts against those that the vendor allows at a time, and what
        comes of it uses up the connection's window, until no call gets through.
        """
        sent = self._sent.pop(stream_id, None)
        try:
            with contextlib.suppress(h2.exceptions.ProtocolError):  # The connection has ended.
                if self._give_up(stream_id):
                    if sent is not None and self._heard < sent:
                        self._connection_error = True
                    await self._flush()
        finally:
            await super()._response_closed(stream_id)
            if self._connection_error:
                await self._leave()

    def _give_up(self, stream_id: int) -> bool:
        """Resets the stream where the answer is not complete or not read; whether there is something to be sent."""
        unread = [one for one in self._events.get(stream_id, ()) if isinstance(one, h2.events.DataReceived)]
        for event in unread:
            self._h2_state.acknowledge_received_data(event.flow_controlled_length or 0, stream_id)
        stream = self._h2_state.streams.get(stream_id)
        if stream is None or stream.closed:
            return bool(unread)
        self._h2_state.reset_stream(stream_id, h2.errors.ErrorCodes.CANCEL)
        return True

    async def _flush(self) -> None:
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                with contextlib.suppress(httpcore2.NetworkError, httpcore2.TimeoutException):
                    await self._write_outgoing_data(NONE)
        except TimeoutError:
            self._connection_error = True

    async def aclose(self) -> None:
        await super().aclose()
        if self._reader is not None:
            self._reader.cancel()


def _kept(tasks: set[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task that is kept until its end; how it ends is said to who waits for it, if any does."""
    task = asyncio.create_task(work)
    tasks.add(task)

    def ended(task: asyncio.Task[None]) -> None:
        tasks.discard(task)
        if not task.cancelled():
            task.exception()

    task.add_done_callback(ended)
    return task


def install() -> None:
    """Makes the library's pools use these connections: it has no other way to say so."""
    library.AsyncHTTP2Connection = Connection
