"""The gate: one ASGI layer that judges every request and puts the headers on every answer."""

import asyncio
import contextlib
import hmac
import re
import time
from collections.abc import Callable, Collection, MutableMapping
from typing import Any, Protocol, cast

import structlog
import uuid_utils
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from addtocrm.accounts.model import PLAN_CREDITS
from addtocrm.errors import ApiError, envelope
from addtocrm.gate import idempotency
from addtocrm.gate.address import client_address, is_loopback, networks
from addtocrm.gate.context import Passed, Route, require_scope
from addtocrm.gate.idempotency import Idempotency
from addtocrm.gate.limits import Limiter, Standing
from addtocrm.gate.record import Record, Recorder
from addtocrm.keys.model import Principal
from addtocrm.keys.service import KeyRing
from addtocrm.keys.token import is_well_formed
from addtocrm.lookups.hot import HotResults
from addtocrm.lookups.model import Caller
from addtocrm.settings import Settings

log = structlog.get_logger("addtocrm.requests")

JSON = b"application/json"
NORMAL_PATH = re.compile(r"/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*")
"""The one form of a path that is judged and routed: segments of unreserved characters (RFC 3986, 2.3 and 6.2.2) with
single slashes between them, none of them `.` or `..`, nothing escaped."""
METRICS_PATH = "/metrics"
BODILESS = ("GET", "HEAD", "DELETE", "OPTIONS")
DRAIN_BYTES = 64 * 2**20
DRAIN_SECONDS = 10.0


class Services(Protocol):
    """What the gate needs of the running services."""

    @property
    def settings(self) -> Settings: ...
    @property
    def ring(self) -> KeyRing: ...
    @property
    def limiter(self) -> Limiter: ...
    @property
    def recorder(self) -> Recorder: ...
    @property
    def hot(self) -> HotResults: ...
    @property
    def idempotency(self) -> Idempotency: ...


class Aborted(Exception):
    """The client went away, or broke its own encoding, before the body was whole."""


class Exchange:
    """One request on its way: what is known of it so far, and how its answer goes out."""

    def __init__(self, scope: dict[str, Any], send: Send, request_id: str) -> None:
        self.scope = scope
        self.send = send
        self.request_id = request_id
        self.standing: Standing | None = None
        self.key_id: str | None = None
        self.template = "unknown"
        """The route's path, its parameters unfilled: what metrics are labelled with."""
        self.status = 0
        self.result = "ok"
        self.began = time.perf_counter()
        headers: dict[bytes, bytes] = dict(scope["headers"])
        self.headers = headers

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
        headers = self.standing.headers() if self.standing else []
        headers.append((b"x-request-id", self.request_id.encode()))
        return headers

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


class Gate:
    """request id → authentication → revoked → plan → rate limit → scope → the application (body, work).

    `public` are the paths that need no key: any other does, whether there is such a path or not. `find` gives the
    route that the application takes for a path and a method.
    """

    def __init__(
        self,
        app: ASGIApp,
        services: Services,
        public: Collection[str],
        find: Callable[[str, str], Route | None],
    ) -> None:
        self._app = app
        self._public = public
        self._find = find
        self._ring = services.ring
        self._limiter = services.limiter
        self._recorder = services.recorder
        self._hot = services.hot
        self._idempotency = services.idempotency
        settings = services.settings
        self._rates = (settings.rate_per_minute, settings.rate_per_hour)
        self._max_body = settings.max_body_bytes
        self._proxies = networks(settings.trusted_proxies)
        self._metrics_token = settings.metrics_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(cast(dict[str, Any], scope), send, str(uuid_utils.uuid4()))
        exchange.scope["addtocrm.exchange"] = exchange
        structlog.contextvars.bind_contextvars(request_id=exchange.request_id)
        try:
            await self._judge(exchange, receive)
        except ApiError as error:
            await exchange.refuse(error)
        except Aborted:
            await exchange.refuse(ApiError("validation_error", "The body ended before it was whole; send it again."))
            exchange.result = "aborted"
        except Exception:
            log.exception("crash")
            if exchange.status:
                raise
            if exchange.standing is None:  # the crash came before it was known whose the request is
                exchange.standing = await self._take_address(exchange, cost=0)
            await exchange.refuse(ApiError("internal_error", "Something failed on our side; try again."))
        finally:
            self._record(exchange)

    async def _judge(self, exchange: Exchange, receive: Receive) -> None:
        scope = exchange.scope
        path: str = scope["raw_path"].decode("latin-1")
        if path in self._public:
            exchange.template = path
            await self._admit(exchange)
            await self._app(cast(Scope, scope), receive, exchange.forward)
            return
        principal = await self._authenticate(exchange)
        if not NORMAL_PATH.fullmatch(path):
            raise ApiError("not_found", "There is no such path; see /docs for what there is.")
        route = self._find(path, scope["method"])
        if route is None:
            await self._app(cast(Scope, scope), receive, exchange.forward)
            return
        exchange.template = route.template
        caller = Caller(
            account_id=principal.account_id,
            actor=f"key:{principal.key_id}",
            request_id=exchange.request_id,
            plan_credits=PLAN_CREDITS["pro"],
            key_id=principal.key_id,
        )
        passed = Passed(caller, principal.scopes)
        require_scope(passed, route.scopes)
        scope["addtocrm.passed"] = passed
        if scope["method"] in BODILESS:
            await self._app(cast(Scope, scope), receive, exchange.forward)
            return
        if route.takes_json and not is_json(exchange.headers.get(b"content-type", b"")):
            raise ApiError("validation_error", "Send JSON with `Content-Type: application/json`.", status=415)
        body = await self._read(receive)
        key = exchange.headers.get(b"idempotency-key")
        if key is not None and scope["method"] == "POST":
            await self._once(exchange, passed, key.decode("latin-1"), body, receive)
            return
        if await self._repeat(exchange, passed, body):
            return
        await self._app(cast(Scope, scope), given(body, receive), exchange.forward)
        if passed.ref and exchange.status == 200:
            self._hot.remember(passed.caller.account_id, path, body, passed.ref)

    async def _admit(self, exchange: Exchange) -> None:
        """Lets a request to a public path in. Raises ApiError for /metrics from outside without its token."""
        if exchange.scope["path"] != METRICS_PATH or self._may_read_metrics(exchange):
            exchange.standing = await self._take_address(exchange, cost=0)
            return
        exchange.standing = await self._take_address(exchange, cost=1)
        _refuse_if_spent(exchange.standing)
        raise ApiError(
            "invalid_auth",
            "Metrics are for the operator: send `Authorization: Bearer` with ADDTOCRM_METRICS_TOKEN; where none is set "
            "they are read from the machine itself.",
        )

    def _may_read_metrics(self, exchange: Exchange) -> bool:
        if self._metrics_token:
            return hmac.compare_digest(exchange.bearer().encode("latin-1"), self._metrics_token.encode())
        return is_loopback(exchange.peer(), exchange.forwarded_for(), self._proxies)

    async def _authenticate(self, exchange: Exchange) -> Principal:
        """The principal, when it may pass. Raises ApiError; sets the standing that the headers show."""
        token = exchange.bearer()
        principal = self._ring.known(token)
        if principal is None and is_well_formed(token):
            met = self._ring.has_met(token) or (await self._take_address(exchange, cost=0)).allowed
            principal = await (self._ring.find(token) if met else self._ring.find_with_others(token))
        if principal is None:
            exchange.standing = await self._take_address(exchange, cost=1)
            _refuse_if_spent(exchange.standing)
            raise ApiError(
                "invalid_auth",
                "Send `Authorization: Bearer addtocrm_live_…` with a key made in the dashboard or by "
                "`addtocrm keys create`; this one is missing, misspelt or unknown.",
            )
        exchange.key_id = principal.key_id
        usable = not principal.revoked and principal.plan == "pro"
        exchange.standing = await self._limiter.take(
            f"key:{principal.key_id}", principal.rate_per_minute, principal.rate_per_hour, 1 if usable else 0
        )
        if principal.revoked:
            raise ApiError("key_revoked", "This key was revoked; make a new one.")
        if principal.plan != "pro":
            raise ApiError("key_suspended_plan", "API keys work on the Pro plan; upgrade and this key works again.")
        _refuse_if_spent(exchange.standing)
        return principal

    async def _take_address(self, exchange: Exchange, cost: int) -> Standing:
        address = client_address(exchange.peer(), exchange.forwarded_for(), self._proxies)
        return await self._limiter.take(f"address:{address}", *self._rates, cost)

    async def _repeat(self, exchange: Exchange, passed: Passed, body: bytes) -> bool:
        """Answers a look-up that this process answered before, byte for byte; False where it did not."""
        account_id = passed.caller.account_id
        data = self._hot.repeat(account_id, exchange.scope["path"], body)
        if data is None:
            return False
        remaining = self._ring.balances.get(account_id, 0)
        await exchange.answer(200, answer_body(data, True, 0, remaining), [])
        return True

    async def _read(self, receive: Receive) -> bytes:
        """The whole body. Raises ApiError (413) for one that is too large, Aborted for one that ends early."""
        parts: list[bytes] = []
        size = 0
        while True:
            message: Any = await receive()
            if message["type"] != "http.request":
                raise Aborted
            parts.append(_body(message))
            size += len(parts[-1])
            more = message.get("more_body")
            if size > self._max_body:
                if more:
                    await _drain(receive)
                raise ApiError("validation_error", "The body is too large.", status=413)
            if not more:
                return b"".join(parts)

    async def _once(self, exchange: Exchange, passed: Passed, key: str, body: bytes, receive: Receive) -> None:
        """Carries a request with an Idempotency-Key out once, or replays its first answer."""
        idempotency.check_key(key)
        owner = passed.caller.key_id or passed.caller.account_id
        scope = exchange.scope
        mark = idempotency.fingerprint(scope["method"], scope["path"], scope["query_string"], body)
        stored = await self._idempotency.begin(owner, key, mark)
        if stored:
            await exchange.answer(
                stored.status, stored.body, [(b"idempotent-replayed", b"true")], stored.content_type.encode()
            )
            return
        start: MutableMapping[str, Any] = {}
        chunks: list[bytes] = []

        async def capture(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                chunks.append(_body(message))

        try:
            await self._app(cast(Scope, scope), given(body, receive), capture)
        except BaseException:
            await self._idempotency.free(owner, key)
            raise
        content_type = dict(start["headers"]).get(b"content-type", JSON).decode()
        answer = idempotency.Stored(start["status"], content_type, b"".join(chunks))
        await self._idempotency.finish(owner, key, answer)
        await exchange.forward(start)  # type: ignore[arg-type]
        await exchange.send({"type": "http.response.body", "body": answer.body, "more_body": False})

    def _record(self, exchange: Exchange) -> None:
        seconds = time.perf_counter() - exchange.began
        scope = exchange.scope
        self._recorder.add(
            Record(
                time.time(),
                seconds,
                scope["method"],
                scope["path"],
                exchange.template,
                exchange.status,
                exchange.result,
                exchange.key_id,
                exchange.request_id,
            )
        )


async def _drain(receive: Receive) -> None:
    """Reads the rest of what is too large, within bounds: who is still sending would not read the answer."""
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while size < DRAIN_BYTES:
                message: Any = await receive()
                size += len(_body(message))
                if message["type"] != "http.request" or not message.get("more_body"):
                    return


def _body(message: Any) -> bytes:
    return message.get("body", b"")


def given(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read already, and then what comes next."""
    pending: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Any:
        return pending.pop() if pending else await receive()

    return again


def is_json(content_type: bytes) -> bool:
    """Whether a Content-Type says JSON, whatever its case and parameters."""
    return content_type == JSON or content_type.partition(b";")[0].strip().lower() == JSON


def answer_body(data: bytes, cached: bool, deducted: int, remaining: int) -> bytes:
    """The JSON body of a billable answer around the encoded `data`."""
    return b'{"data":%b,"cached":%b,"credits_deducted":%d,"credits_remaining":%d}' % (
        data,
        b"true" if cached else b"false",
        deducted,
        remaining,
    )


def _refuse_if_spent(standing: Standing) -> None:
    if standing.allowed:
        return
    if standing.used_hour >= standing.per_hour:
        kind, reset, words = "rate_limit_hour", standing.reset_hour, f"{standing.per_hour} requests an hour"
    else:
        kind, reset, words = (
            "rate_limit_minute",
            standing.reset_minute,
            f"{standing.per_minute} requests a minute",
        )
    seconds = max(1, int(reset - standing.now + 0.999))
    raise ApiError(kind, f"The limit of {words} is reached; try again in {seconds} s.", retry_after_seconds=seconds)
