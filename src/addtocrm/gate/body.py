"""The body of a request."""

import asyncio
import contextlib
import math
from typing import Any

from litestar.types import Receive

from addtocrm.core.errors import ApiError
from addtocrm.web.exchange import JSON

SECONDS = 20.0
BYTES_A_SECOND = 20_000
"""A body may take SECONDS, and longer only while it comes at least this fast (as Apache's mod_reqtimeout has it): who
sends half of one and waits must not keep a connection, nor the end of the server."""
LOOK_SECONDS = 1.0
DRAIN_BYTES = 64 * 2**20
DRAIN_SECONDS = 10.0


class Aborted(Exception):
    """The client went away, or broke its own encoding, before the body was whole."""


class Reader:
    """Reads bodies of at most `most` bytes. One timer looks after all of them: one for each would take longer than
    judging a request does."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._ends: dict[asyncio.Timeout, float] = {}
        self._looking = False

    async def read(self, receive: Receive) -> bytes:
        """The whole body. Raises ApiError (413) for one that is too large, Aborted for one that ends early or does not
        come in time, give or take LOOK_SECONDS."""
        loop = asyncio.get_running_loop()
        limit = asyncio.timeout(None)
        self._ends[limit] = loop.time() + SECONDS
        if not self._looking:
            self._looking = True
            loop.call_later(LOOK_SECONDS, self._look)
        try:
            async with limit:
                return await self._read(receive, limit)
        except TimeoutError:
            raise Aborted from None
        finally:
            del self._ends[limit]

    async def _read(self, receive: Receive, limit: asyncio.Timeout) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message: Any = await receive()
            if message["type"] != "http.request":
                raise Aborted
            part: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            parts.append(part)
            size += len(part)
            if size > self._most:
                if more:
                    self._ends[limit] = math.inf
                    await _drain(receive)
                raise ApiError("validation_error", "The body is too large.", status=413)
            if not more:
                return part if size == len(part) else b"".join(parts)
            self._ends[limit] += len(part) / BYTES_A_SECOND

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for limit, end in self._ends.items():
            if end <= now and limit.when() is None:
                limit.reschedule(now)
        self._looking = bool(self._ends)
        if self._looking:
            loop.call_later(LOOK_SECONDS, self._look)


async def _drain(receive: Receive) -> None:
    """Reads the rest of what is too large, within bounds: who is still sending would not read the answer."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while size < DRAIN_BYTES:
                message: Any = await receive()
                size += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body"):
                    return


def given(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read already, and then what comes next."""
    pending: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return pending.pop() if pending else await receive()

    return again


def is_json(content_type: bytes) -> bool:
    """Whether a Content-Type says JSON, whatever its case and parameters."""
    return content_type == JSON or content_type.partition(b";")[0].strip().lower() == JSON
