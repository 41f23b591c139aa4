"""The gate: one ASGI layer that judges every request and puts the headers on every answer."""

import hmac
from collections.abc import Callable, Collection, MutableMapping
from typing import Any, Protocol, cast

import msgspec
import structlog
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from addtocrm.core import logs
from addtocrm.core.caller import Caller
from addtocrm.core.errors import ApiError
from addtocrm.core.idempotency import service as idempotency
from addtocrm.core.idempotency.model import Stored
from addtocrm.core.idempotency.service import Idempotency
from addtocrm.core.networks import place_of
from addtocrm.core.settings import Settings
from addtocrm.gate import body
from addtocrm.gate.address import client_address, is_loopback, networks
from addtocrm.gate.limits import Limiter, MemoryLimiter, Standing
from addtocrm.lookups.hot import HotResults
from addtocrm.lookups.model import Ref
from addtocrm.tenants.keys.model import Principal
from addtocrm.tenants.keys.service import KeyRing, why_unusable
from addtocrm.tenants.keys.token import is_well_formed
from addtocrm.tenants.requests.model import Request, kept_path
from addtocrm.tenants.requests.service import Journal
from addtocrm.tenants.usage.service import Saved
from addtocrm.web.context import Passed, Route, require_normal, require_scope
from addtocrm.web.exchange import JSON, Exchange, answer_body
from addtocrm.web.record import Line, Recorder

log = structlog.get_logger("addtocrm.requests")

SIGN_IN_PATHS = "/oauth/"
PAGES = "/dashboard"
"""Where people are, who sign in there and have no key."""
METRICS_PATH = "/metrics"
MAX_TARGET_BYTES = 16 * 2**10
MAX_HEADERS = 64
MAX_HEADER_BYTES = 32 * 2**10
"""What is longer is refused here, long before the HTTP layer would do so, which says nothing more than the status."""
BODILESS = ("GET", "HEAD", "DELETE", "OPTIONS")
REPLAYED = (b"idempotent-replayed", b"true")


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
    def journal(self) -> Journal: ...
    @property
    def hot(self) -> HotResults: ...
    @property
    def idempotency(self) -> Idempotency: ...
    @property
    def saved(self) -> Saved: ...


class Gate:
    """request id → length → authentication → revoked → plan → rate limit → scope → the application (body, work).

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
        self._journal = services.journal
        self._hot = services.hot
        self._idempotency = services.idempotency
        self._saved = services.saved
        settings = services.settings
        self._rates = (settings.rate_per_minute, settings.rate_per_hour)
        self._kept_refusals = MemoryLimiter()
        self._max_body = settings.max_body_bytes
        self._bodies = body.Reader(self._max_body)
        self._proxies = networks(settings.trusted_proxies)
        self._metrics_token = settings.metrics_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(cast(dict[str, Any], scope), send)
        logs.request_id.set(exchange.request_id)
        logs.told.set(exchange.told)
        try:
            await self._judge(exchange, receive)
        except ApiError as error:
            await exchange.refuse(error)
        except body.Aborted:
            await exchange.refuse(
                ApiError("validation_error", "The body ended, or stopped coming, before it was whole; send it again.")
            )
            exchange.result = "aborted"
        except Exception:
            log.exception("crash")
            if exchange.status:
                raise
            if exchange.standing is None:  # the crash came before it was known whose the request is
                exchange.standing = await self._take_address(exchange, cost=0)
            await exchange.refuse(ApiError("internal_error", "Something failed on our side; try again."))
        finally:
            line = exchange.line()
            self._recorder.add(line)
            if exchange.account_id and (exchange.status != 429 or await self._keeps_refusal(exchange.account_id)):
                self._journal.add(_kept(exchange, line))

    async def _judge(self, exchange: Exchange, receive: Receive) -> None:
        scope = exchange.scope
        if too_long := _too_long(scope):
            await self._count(exchange)
            raise too_long
        path: str = scope["raw_path"].decode("latin-1")
        if path in self._public:
            exchange.template = path
            await self._admit(exchange)
            await self._route(exchange, receive, exchange.forward)
            return
        method: str = scope["method"]
        route = self._find(path, method)
        exchange.template = route.template if route else "unknown"
        if path == PAGES or path.startswith(f"{PAGES}/"):
            exchange.client = self._address(exchange)
            exchange.standing = await self._take_address(exchange, cost=0)
            await self._page(exchange, receive)
            return
        principal = await self._authenticate(exchange)
        if route is None:
            require_normal(path)
            await self._route(exchange, receive, exchange.forward)
            return
        require_scope(principal.scopes, route.scopes, all_of_them=route.all_scopes)
        if method in BODILESS:
            _pass(exchange, principal)
            await self._route(exchange, receive, exchange.forward)
            return
        if route.takes_json and not body.is_json(exchange.headers.get(b"content-type", b"")):
            raise ApiError("validation_error", "Send JSON with `Content-Type: application/json`.", status=415)
        asked = await self._bodies.read(receive)
        if method == "POST" and b"idempotency-key" in exchange.headers:
            await self._once(exchange, _pass(exchange, principal), asked, receive)
            return
        repeated = self._hot.repeat(principal.account_id, path, asked)
        if repeated is not None:
            ref, data = repeated
            self._saved.add(principal.account_id, ref.operation, f"key:{principal.key_id}")
            exchange.cached, exchange.credits = True, 0
            remaining = self._ring.balances.get(principal.account_id, 0)
            await exchange.answer(200, answer_body(data, True, 0, remaining), [])
            return
        passed = _pass(exchange, principal)
        await self._route(exchange, body.given(asked, receive), exchange.forward)
        if passed.ref and exchange.status == 200:
            self._hot.remember(principal.account_id, path, asked, Ref(*passed.ref))

    async def _route(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        """Lets the application answer."""
        exchange.scope["addtocrm.exchange"] = exchange
        await self._app(cast(Scope, exchange.scope), receive, send)

    async def _page(self, exchange: Exchange, receive: Receive) -> None:
        """Lets a page answer. Its body is read before, so that half a form holds nothing up; one that says itself that
        it is too large is left to the page, which refuses it in HTML."""
        length = exchange.headers.get(b"content-length", b"")
        if exchange.method not in BODILESS and not (length.isdigit() and int(length) > self._max_body):
            receive = body.given(await self._bodies.read(receive), receive)
        await self._route(exchange, receive, exchange.forward)

    async def _admit(self, exchange: Exchange) -> None:
        """Lets a request to a public path in, and counts it at a sign-in. Raises ApiError for one too many, and for
        /metrics from outside without its token."""
        if exchange.scope["path"].startswith(SIGN_IN_PATHS):
            exchange.client = self._address(exchange)
            await self._count(exchange)
            return
        if exchange.scope["path"] != METRICS_PATH or self._may_read_metrics(exchange):
            exchange.standing = await self._take_address(exchange, cost=0)
            return
        await self._count(exchange)
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
            await self._count(exchange)
            raise ApiError(
                "invalid_auth",
                "Send `Authorization: Bearer addtocrm_live_…` with a key made in the dashboard or by "
                "`addtocrm keys create`; this one is missing, misspelt or unknown.",
            )
        exchange.account_id, exchange.key_id = principal.account_id, principal.key_id
        if principal.revoked or principal.expired or principal.plan != "pro":
            await self._count(exchange)
        if principal.revoked:
            raise ApiError("key_revoked", "This key was revoked; make a new one.")
        if principal.expired:
            raise ApiError("key_revoked", "This key has expired; make a new one.")
        if principal.plan != "pro":
            raise ApiError("key_suspended_plan", why_unusable(principal.plan))
        exchange.standing = standing = await self._limiter.take(
            f"key:{principal.key_id}", principal.rate_per_minute, principal.rate_per_hour
        )
        standing.refuse_if_spent()
        return principal

    async def _count(self, exchange: Exchange) -> None:
        """Counts a request that is to be refused against its address. Raises ApiError where it was one too many."""
        exchange.standing = standing = await self._take_address(exchange, cost=1)
        standing.refuse_if_spent()

    async def _keeps_refusal(self, account_id: str) -> bool:
        """Whether a request beyond a rate limit goes into the account's log: as many of them do as would pass."""
        return (await self._kept_refusals.take(account_id, *self._rates)).allowed

    async def _take_address(self, exchange: Exchange, cost: int) -> Standing:
        return await self._limiter.take(f"address:{place_of(self._address(exchange))}", *self._rates, cost)

    def _address(self, exchange: Exchange) -> str:
        return client_address(exchange.peer(), exchange.forwarded_for(), self._proxies)

    async def _once(self, exchange: Exchange, passed: Passed, asked: bytes, receive: Receive) -> None:
        """Carries a request with an Idempotency-Key out once, or replays its first answer."""
        key = exchange.headers[b"idempotency-key"].decode("latin-1")
        idempotency.check_key(key)
        owner = passed.caller.key_id or passed.caller.account_id
        scope = exchange.scope
        mark = idempotency.fingerprint(scope["method"], scope["path"], scope["query_string"], asked)
        begun = await self._idempotency.begin(owner, key, mark)
        if isinstance(begun, Stored):
            await exchange.answer(begun.status, begun.body, [REPLAYED], begun.content_type.encode())
            return
        passed.caller = msgspec.structs.replace(passed.caller, once=begun)
        start: MutableMapping[str, Any] = {}
        chunks: list[bytes] = []

        async def capture(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                chunks.append(message.get("body", b""))

        try:
            await self._route(exchange, body.given(asked, receive), capture)
        except BaseException:
            self._idempotency.leave(begun)
            raise
        content_type = dict(start["headers"]).get(b"content-type", JSON).decode()
        answer = Stored(start["status"], content_type, b"".join(chunks))
        await self._idempotency.finish(begun, answer)
        if begun.outcome:
            start["headers"] = [*start["headers"], REPLAYED]
        await exchange.forward(start)  # type: ignore[arg-type]
        await exchange.send({"type": "http.response.body", "body": answer.body, "more_body": False})


def _too_long(scope: dict[str, Any]) -> ApiError | None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET_BYTES:
        return ApiError("validation_error", f"The path is longer than {MAX_TARGET_BYTES:,} bytes.", status=414)
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    size = 0
    for name, value in headers:
        size += len(name) + len(value)
    if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        text = f"The headers are more than {MAX_HEADERS}, or longer than {MAX_HEADER_BYTES:,} bytes."
        return ApiError("validation_error", text, status=431)
    return None


def _pass(exchange: Exchange, principal: Principal) -> Passed:
    """Tells the routes who calls."""
    caller = Caller(
        account_id=principal.account_id,
        actor=f"key:{principal.key_id}",
        request_id=exchange.request_id,
        key_id=principal.key_id,
    )
    passed = Passed(caller, principal.scopes)
    exchange.scope["addtocrm.passed"] = passed
    return passed


def _kept(exchange: Exchange, line: Line) -> Request:
    """What the account's request log has of it."""
    assert exchange.account_id and exchange.key_id
    return Request(
        id=line.request_id,
        account_id=exchange.account_id,
        key_id=exchange.key_id,
        at=line.timestamp,
        method=line.method,
        path=kept_path(line.path, line.route),
        status=line.status,
        error=None if line.result == "ok" else line.result,
        credits=exchange.credits,
        cached=exchange.cached,
        ms=line.ms,
        lines=exchange.told or None,
    )
