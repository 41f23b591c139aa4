"""HTTP/2 connections on which a call that was given up holds nobody up."""

import asyncio
import contextlib

import h2.errors
import h2.events
import h2.exceptions
import httpcore2
from httpcore2._async import http2 as library  # pyright: ignore[reportPrivateUsage]

FLUSH_SECONDS = 1.0
FLUSH = httpcore2.Request("GET", "https://none.invalid/", extensions={"timeout": {"write": FLUSH_SECONDS}})
"""No request: how long a write that belongs to none may take."""


class Connection(httpcore2.AsyncHTTP2Connection):
    """Tells the vendor where an answer is not waited for any more.

    The library does not. The vendor then goes on with it, the stream counts against those that the vendor allows at a
    time, and what comes of it uses up the connection's window, until no call gets through.
    """

    async def _response_closed(self, stream_id: int) -> None:
        with contextlib.suppress(h2.exceptions.ProtocolError):  # The connection has ended.
            if self._give_up(stream_id):
                await self._flush()
        await super()._response_closed(stream_id)

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
                    await self._write_outgoing_data(FLUSH)
        except TimeoutError:
            self._connection_error = True


def install() -> None:
    """Makes the library's pools use these connections: it has no other way to say so."""
    library.AsyncHTTP2Connection = Connection
