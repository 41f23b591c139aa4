"""One request on its way through the gate."""

import time
from datetime import UTC, datetime
from typing import Any, Protocol, cast

import uuid_utils
from litestar.types import Message, Send

from addtocrm.core.errors import ApiError, envelope
from addtocrm.web.record import Line

JSON = b"application/json"


class Standing(Protocol):
    """Where the one who asks stands after the request, as the answer's headers tell."""

    def headers(self) -> list[tuple[bytes, bytes]]: ...


class Exchange:
    """One request on its way: what is known of it so far, and how its answer goes out."""

    __slots__ = (
        "account_id",
        "began",
        "cached",
        "client",
        "credits",
        "headers",
        "key_id",
        "method",
        "request_id",
        "result",
        "scope",
        "send",
        "standing",
        "status",
        "template",
        "told",
    )

    def __init__(self, scope: dict[str, Any], send: Send) -> None:
        self.method: str = scope["method"]
        self.scope: dict[str, Any] = scope
        self.send = send
        if self.method == "HEAD":
            self.scope = {**scope, "method": "GET"}
            self.send = _without_body(send)
        self.client = self.peer()
        """The address of the client; behind trusted proxies the gate says which."""
        self.request_id = str(uuid_utils.uuid7())
        """Sortable: a later request has a higher one."""
        self.standing: Standing | None = None
        self.account_id: str | None = None
        self.key_id: str | None = None
        self.cached: bool | None = None
        self.credits: int | None = None
        """What a billable answer cost; None of any other."""
        self.told: list[dict[str, Any]] = []
        """Lines that were logged meanwhile (see `logs.told`)."""
        self.template = "unknown"
        """The route's path, its parameters unfilled: what metrics are labelled with."""
        self.status = 0
        self.result = "ok"
        self.began = time.perf_counter_ns()
        self.headers: dict[bytes, bytes] = dict(scope["headers"])

    def bearer(self) -> str:
        """The token of the Authorization header (RFC 6750); empty where there is none."""
        kind, _, token = self.headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""

    def peer(self) -> str:
        client = self.scope.get("client")
        return client[0] if client else ""

    def forwarded_for(self) -> str:
        """What all X-Forwarded-For headers say, in their order."""
        lines = [value.decode("latin-1") for name, value in self.scope["headers"] if name == b"x-forwarded-for"]
        return ",".join(lines)

    async def forward(self, message: Message) -> None:
        """Sends a message of the application with the gate's headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self.gate_headers()]
        await self.send(message)

    def gate_headers(self) -> list[tuple[bytes, bytes]]:
        request_id = (b"x-request-id", self.request_id.encode())
        return [*self.standing.headers(), request_id] if self.standing else [request_id]

    async def answer(
        self, status: int, body: bytes, headers: list[tuple[bytes, bytes]], content_type: bytes = JSON
    ) -> None:
        self.status = status
        await self.send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", content_type),
                    (b"content-length", b"%d" % len(body)),
                    *headers,
                    *self.gate_headers(),
                ],
            }
        )
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    async def refuse(self, error: ApiError) -> None:
        self.result = error.type
        await self.answer(error.status, envelope(error, self.request_id), error_headers(error))

    def line(self) -> Line:
        """What is told of it in the log and the metrics, once it is answered."""
        return Line(
            method=self.method,
            path=self.scope["path"],
            route=self.template,
            status=self.status,
            result=self.result,
            ms=(time.perf_counter_ns() - self.began) // 1000 / 1000,
            key_id=self.key_id,
            request_id=self.request_id,
            timestamp=datetime.now(UTC),
        )


def _without_body(send: Send) -> Send:
    """Sends the head of an answer to GET as that to HEAD (RFC 9110 §9.3.2)."""

    async def without_body(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return without_body


def exchange_of(scope: Any) -> Exchange:
    """The exchange that an ASGI scope belongs to."""
    return cast(Exchange, scope["addtocrm.exchange"])


def error_headers(error: ApiError) -> list[tuple[bytes, bytes]]:
    """The headers that an error asks for, beside those on every answer."""
    headers: list[tuple[bytes, bytes]] = []
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after_seconds))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


def answer_body(data: bytes, cached: bool, deducted: int, remaining: int) -> bytes:
    """The JSON body of a billable answer around the encoded `data`."""
    return b'{"data":%b,"cached":%b,"credits_deducted":%d,"credits_remaining":%d}' % (
        data,
        b"true" if cached else b"false",
        deducted,
        remaining,
    )
