"""HTTP/2 connections that carry one call at a time, as those of HTTP/1.1 do: no call is another one's failure.

The library shares a connection among calls. An answer then waits for those of the calls before it, one call's silence
ends them all, and a GOAWAY fails also those that the vendor goes on to answer.
"""

import contextlib

import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import httpcore2
from httpcore2._async import connection_pool  # pyright: ignore[reportPrivateUsage]
from httpcore2._async import http2 as library  # pyright: ignore[reportPrivateUsage]
from httpcore2._synchronization import AsyncShieldCancellation  # pyright: ignore[reportPrivateUsage]
from hyperframe.frame import Frame, GoAwayFrame

HEARD = httpcore2.Request("GET", "https://none.invalid/", extensions={"timeout": {"read": 0.5, "write": 0.5}})
"""No request: for how long what came between two calls is read and answered."""


class NotProcessed(httpcore2.RemoteProtocolError):
    """The vendor says that it did nothing for this request (RFC 9113 §8.7)."""


class _Answered(Exception):
    """The vendor answers before it has the whole request (RFC 9113 §8.1)."""


class _State(h2.connection.H2Connection):
    """Goes on after a GOAWAY: the streams that it names are answered to their end (RFC 9113 §6.8)."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[h2.events.Event]]:
        event = h2.events.ConnectionTerminated()
        event.last_stream_id = frame.last_stream_id
        return [], [event]


class Connection(httpcore2.AsyncHTTP2Connection):
    """Closed with the call that was given up; left for another one where the vendor has ended it."""

    _taken = False

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # pyright: ignore[reportArgumentType]
        self._h2_state = _State(config=self.CONFIG)

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response:
        if not self.is_available():
            raise httpcore2.ConnectionNotAvailable
        self._taken = True
        try:
            await self._hear()
            return await super().handle_async_request(request)
        except BaseException:
            with AsyncShieldCancellation():
                await self.aclose()
            raise

    async def _hear(self) -> None:
        """Reads what came since the last call. Raises ConnectionNotAvailable where that was the end."""
        if not self._sent_connection_init:
            return
        try:
            while self._network_stream.get_extra_info("is_readable"):
                await self._receive_events(HEARD)
                await self._write_outgoing_data(HEARD)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException):
            raise httpcore2.ConnectionNotAvailable from None
        if self._connection_terminated:
            raise httpcore2.ConnectionNotAvailable

    async def _receive_events(self, request: httpcore2.Request, stream_id: int | None = None) -> None:
        try:
            await super()._receive_events(request, stream_id)
        except h2.exceptions.ProtocolError as error:
            raise httpcore2.RemoteProtocolError(error) from None
        ended = self._connection_terminated
        if ended and stream_id:
            if stream_id > (ended.last_stream_id or 0):
                raise NotProcessed("the connection ended before this request")
            self._connection_terminated = None
            self._connection_error = True

    async def _send_request_body(self, request: httpcore2.Request, stream_id: int) -> None:
        with contextlib.suppress(_Answered):
            await super()._send_request_body(request, stream_id)

    async def _wait_for_outgoing_flow(self, request: httpcore2.Request, stream_id: int) -> int:
        while not self._events[stream_id]:
            window = self._h2_state.local_flow_control_window(stream_id)
            if window > 0:
                return min(window, self._h2_state.max_outbound_frame_size)
            await self._receive_events(request, stream_id)
            await self._write_outgoing_data(request)
        raise _Answered

    async def _receive_stream_event(
        self, request: httpcore2.Request, stream_id: int
    ) -> h2.events.ResponseReceived | h2.events.DataReceived | h2.events.StreamEnded:
        try:
            return await super()._receive_stream_event(request, stream_id)
        except httpcore2.RemoteProtocolError as error:
            if getattr(error.args[0], "error_code", None) == h2.errors.ErrorCodes.REFUSED_STREAM:
                raise NotProcessed("the request was refused") from None
            raise

    async def _response_closed(self, stream_id: int) -> None:
        stream = self._h2_state.streams.get(stream_id)
        unread = any(isinstance(event, h2.events.DataReceived) for event in self._events.get(stream_id, ()))
        if unread or self._connection_error or not (stream is None or stream.closed):
            await self.aclose()
        await super()._response_closed(stream_id)
        self._taken = False

    def is_available(self) -> bool:
        return self.is_idle() and super().is_available()

    def is_idle(self) -> bool:
        return super().is_idle() and not self._taken

    def can_multiplex(self) -> bool:
        return False


class Connecting(httpcore2.AsyncHTTPConnection):
    """Takes no other call while it is being made: the library gives it all that wait, for it might be shared."""

    def is_available(self) -> bool:
        return self._connection is not None and self._connection.is_available()


def install() -> None:
    """Makes the library's pools use these connections: it has no other way to say so."""
    connection_pool.AsyncHTTPConnection = Connecting  # pyright: ignore[reportPrivateImportUsage]
    library.AsyncHTTP2Connection = Connection
