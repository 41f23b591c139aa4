"""The body of a request."""

import asyncio
import contextlib
from typing import Any

from litestar.types import Receive

from addtocrm.core.errors import ApiError
from addtocrm.web.exchange import JSON

SECONDS = 20.0
BYTES_A_SECOND = 20_000
"""A body may take SECONDS, and longer only while it comes at least this fast (as Apache's mod_reqtimeout has it): who
sends half of one and waits must not keep a connection, nor the end of the server."""
DRAIN_BYTES = 64 * 2**20
DRAIN_SECONDS = 10.0


class Aborted(Exception):
    """The client went away, or broke its own encoding, before the body was whole."""


async def read(receive: Receive, most: int) -> bytes:
    """The whole body. Raises ApiError (413) for one of more than `most` bytes, Aborted for one that ends early or does
    not come in time."""
    try:
        async with asyncio.timeout(SECONDS) as limit:
            return await _read(receive, most, limit)
    except TimeoutError:
        raise Aborted from None


async def _read(receive: Receive, most: int, limit: asyncio.Timeout) -> bytes:
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
        if size > most:
            if more:
                limit.reschedule(None)
                await _drain(receive)
            raise ApiError("validation_error", "The body is too large.", status=413)
        if not more:
            return part if size == len(part) else b"".join(parts)
        limit.reschedule((limit.when() or 0) + len(part) / BYTES_A_SECOND)


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
