"""Calls to vendors: one `Outgoing` a process, one client in it for each vendor."""

import asyncio
import math
import time
import zlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import version
from typing import Any, Literal
from weakref import WeakValueDictionary

import httpx2
import msgspec
import stamina
import structlog

from addtocrm.core import metrics
from addtocrm.core.outgoing.circuit import Circuits
from addtocrm.core.outgoing.failures import (
    BadAnswer,
    CallFailed,
    NoAnswer,
    NotReached,
    Refused,
    ServerFailed,
    Throttled,
)
from addtocrm.core.outgoing.http2 import NotProcessed
from addtocrm.core.outgoing.limiter import LONGEST_PAUSE, Limiter
from addtocrm.core.outgoing.network import CheckedNetwork, CheckedTransport, NotPublic
from addtocrm.core.outgoing.quotas import Quotas
from addtocrm.core.outgoing.vendor import Account, Quota, Vendor
from addtocrm.core.settings import Settings

log = structlog.get_logger()

AGENT = f"AddToCRM/{version('addtocrm')}"
IDEMPOTENT = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
"""RFC 9110 §9.2.2."""
ATTEMPTS = 4
REDIRECTS = 3
MAX_BYTES = 10 * 2**20
THROTTLED_SECONDS = 1.0
"""For so long a vendor is left alone that says 429 and not for how long."""

# Our own log lines and metrics tell of repeats.
stamina.instrumentation.set_on_retry_hooks(())

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


class Reply(msgspec.Struct, frozen=True):
    """An answer below 500. `headers` have lower-case names; `data` is the decoded JSON, None for an empty body."""

    status: int
    headers: Mapping[str, str]
    data: Any


class Outgoing:
    """The way out of this process. Call `close()` at the end."""

    def __init__(self, settings: Settings, quotas: Quotas) -> None:
        self._network = CheckedNetwork(settings.dns_servers, allow_private=settings.allow_private_networks)
        self._limiter = Limiter(quotas)
        self._circuits = Circuits()
        self._clients: dict[str, httpx2.AsyncClient] = {}
        self._learnt: dict[str, Quota] = {}
        self._places: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def call(
        self,
        account: Account,
        method: Method,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        bulk: bool = False,
        wait: float = 5.0,
        within: float = 60.0,
        max_bytes: int = MAX_BYTES,
    ) -> Reply:
        """Asks the vendor, and again where that can do no harm, for at most `within` seconds.

        `idempotent` says so of a POST or PATCH that may be sent twice. Up to `wait` seconds are waited for the
        account's quota, single calls before `bulk` ones, and never so long that less than the vendor's `read_seconds`
        are left for an answer. Raises CallFailed.
        """
        again = method in IDEMPOTENT if idempotent is None else idempotent
        body = None if json is None else msgspec.json.encode(json)
        request = self._client(account.vendor).build_request(
            method,
            url,
            headers={**({"content-type": "application/json"} if body else {}), **(headers or {})},
            params=params,
            content=body,
            data=form,
        )
        # The circuit counts a call once, however often it is tried: one question that the vendor fails at is not its
        # silence.
        if (closed_in := self._circuits.closed_in(account.name)) > 0:
            metrics.VENDOR_CALLS.labels(account.vendor.name, "circuit_open").inc()
            raise Refused("the vendor did not answer several times; it is left alone for a while", closed_in)
        try:
            reply = await self._tried(account, request, again, bulk, wait, within, max_bytes)
        except CallFailed as failure:
            if isinstance(failure, (Throttled, Refused)):
                self._circuits.abandoned(account.name)
            elif self._circuits.failed(account.name):
                log.warning("vendor_circuit_opened", vendor=account.vendor.name)
            self._show_circuits(account.vendor)
            raise
        except BaseException:
            self._circuits.abandoned(account.name)
            raise
        self._circuits.succeeded(account.name)
        self._show_circuits(account.vendor)
        return reply

    async def _tried(
        self,
        account: Account,
        request: httpx2.Request,
        again: bool,
        bulk: bool,
        wait: float,
        within: float,
        max_bytes: int,
    ) -> Reply:
        """The reply to one of several tries. Raises the CallFailed of the last."""
        deadline = time.monotonic() + within

        def pause(error: Exception) -> bool | float:
            if not isinstance(error, CallFailed) or not error.passing:
                return False
            if not again and (error.maybe_done or deadline - time.monotonic() < account.vendor.read_seconds):
                return False
            # Who was throttled waits in the limiter, which was told for how long.
            if error.retry_after is None or isinstance(error, Throttled):
                return True
            return error.retry_after if error.retry_after <= deadline - time.monotonic() else False

        async for attempt in stamina.retry_context(
            on=pause, attempts=ATTEMPTS, timeout=within, wait_initial=0.2, wait_max=5.0, wait_jitter=0.2
        ):
            with attempt:
                if attempt.num > 1:
                    metrics.VENDOR_RETRIES.labels(account.vendor.name).inc()
                left = deadline - time.monotonic()
                spare = max(left - account.vendor.read_seconds, 0.0)
                return await self._try(account, request, bulk, min(wait, spare), left, max_bytes)
        raise AssertionError("stamina ends with an answer or an error")

    async def pause(self, account: Account, seconds: float) -> None:
        """Sends nothing more for `seconds`: the vendor has said so in an answer of its own form."""
        await self._limiter.pause(account, seconds)

    async def close(self) -> None:
        await self._limiter.close()
        for client in self._clients.values():
            await client.aclose()

    def _client(self, vendor: Vendor) -> httpx2.AsyncClient:
        client = self._clients.get(vendor.name)
        if client is None:
            transport = CheckedTransport(self._network, connections=vendor.connections)
            client = httpx2.AsyncClient(
                transport=transport,
                headers={"user-agent": AGENT, "accept": "application/json", "accept-encoding": "gzip"},
                timeout=httpx2.Timeout(vendor.read_seconds, connect=vendor.connect_seconds),
                follow_redirects=False,
                trust_env=False,
            )
            # A client serves many accounts: what one is given to keep must not go out for another.
            client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            self._clients[vendor.name] = client
        return client

    async def _try(
        self, account: Account, request: httpx2.Request, bulk: bool, wait: float, within: float, max_bytes: int
    ) -> Reply:
        """One request with its turn, and what is told of it."""
        began = time.perf_counter()
        # The place first: a request goes out at its turn. Bulk calls, which may wait long, have places of their own.
        async with self._place(account, bulk, wait):
            left = max(wait - (time.perf_counter() - began), 0.0)
            async with self._turn(account, bulk, left):
                waited = time.perf_counter() - began
                metrics.VENDOR_WAITS.labels(account.vendor.name).observe(waited)
                return await self._told(account, request, within - waited, max_bytes)

    @asynccontextmanager
    async def _place(self, account: Account, bulk: bool, seconds: float) -> AsyncGenerator[None]:
        """One of the account's connections, waited for up to `seconds`. Raises Throttled."""
        new = asyncio.Semaphore(account.vendor.account_connections)
        places = self._places.setdefault(f"{account.name} {bulk}", new)
        try:
            async with asyncio.timeout(seconds):
                await places.acquire()
        except TimeoutError:
            raise Throttled("all connections of the account are in use", 1.0, passing=False) from None
        try:
            yield
        finally:
            places.release()

    @asynccontextmanager
    async def _turn(self, account: Account, bulk: bool, seconds: float) -> AsyncGenerator[None]:
        """The account's turn within the vendor's quota, and within that of which it is a part. Raises Throttled."""
        until = time.monotonic() + seconds
        async with AsyncExitStack() as turns:
            vendor: Vendor | None = account.vendor
            while vendor is not None:
                one = Account(vendor, account.id)
                quota = self._learnt.get(one.name, vendor.quota)
                left = max(until - time.monotonic(), 0.0)
                await turns.enter_async_context(self._limiter.turn(one, quota, bulk=bulk, seconds=left))
                vendor = vendor.part_of
            yield

    def _show_circuits(self, vendor: Vendor) -> None:
        metrics.VENDOR_CIRCUITS.labels(vendor.name).set(self._circuits.open(vendor.name))

    async def _told(self, account: Account, request: httpx2.Request, within: float, max_bytes: int) -> Reply:
        """The reply, with a line in the log and its metrics, whatever comes of it."""
        vendor = account.vendor.name
        began = time.perf_counter()
        status, outcome = 0, "cancelled"
        try:
            status, headers, body = await self._exchange(account.vendor, request, within, max_bytes)
            await self._learn(account, headers)
            reply = await self._judged(account, status, headers, body)
            outcome = "ok" if status < 400 else "refused"
            return reply
        except CallFailed as failure:
            outcome = OUTCOMES[type(failure)]
            raise
        finally:
            seconds = time.perf_counter() - began
            metrics.VENDOR_CALLS.labels(vendor, outcome).inc()
            metrics.VENDOR_SECONDS.labels(vendor).observe(seconds)
            log.info(
                "vendor_call",
                vendor=vendor,
                method=request.method,
                host=request.url.host,
                path=request.url.path,
                status=status,
                outcome=outcome,
                ms=round(seconds * 1000, 1),
            )

    async def _learn(self, account: Account, headers: Mapping[str, str]) -> None:
        lesson = account.vendor.learn(headers) if account.vendor.learn else None
        if lesson and lesson.quota:
            self._learnt[account.name] = lesson.quota
        if lesson and lesson.pause:
            await self._limiter.pause(account, lesson.pause)

    async def _judged(self, account: Account, status: int, headers: Mapping[str, str], body: bytes) -> Reply:
        if status == 429:
            seconds = retry_after(headers) or _said(account.vendor, headers, body) or THROTTLED_SECONDS
            await self._limiter.pause(account, seconds)
            raise Throttled("the vendor says that its quota is used up", seconds)
        if status >= 500:
            raise ServerFailed(f"the vendor answered {status}", retry_after(headers))
        return Reply(status, headers, _decoded(status, headers, body))

    async def _exchange(
        self, vendor: Vendor, request: httpx2.Request, within: float, max_bytes: int
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body. Follows a GET's redirects on the same host."""
        sent = asyncio.Event()

        async def trace(event: str, _: Mapping[str, Any]) -> None:
            if event.endswith(".send_request_headers.started"):
                sent.set()

        request.extensions["trace"] = trace
        try:
            async with asyncio.timeout(within):
                for _ in range(REDIRECTS + 1):
                    async with self._answer(vendor, request) as answer:
                        if not answer.has_redirect_location:
                            headers = {name.lower(): value for name, value in answer.headers.items()}
                            return answer.status_code, headers, await _body(answer, max_bytes)
                        request = _next(request, answer)
        except (TimeoutError, httpx2.TransportError, httpx2.StreamError) as error:
            raise _failure(error, sent.is_set()) from None
        raise BadAnswer("the vendor redirects without end", passing=False)

    @asynccontextmanager
    async def _answer(self, vendor: Vendor, request: httpx2.Request) -> AsyncGenerator[httpx2.Response]:
        answer = await self._client(vendor).send(request, stream=True)
        try:
            yield answer
        finally:
            await answer.aclose()


OUTCOMES: dict[type[CallFailed], str] = {
    NotReached: "not_reached",
    Refused: "not_allowed",
    Throttled: "throttled",
    NoAnswer: "no_answer",
    ServerFailed: "server_failed",
    BadAnswer: "bad_answer",
}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of `Retry-After`, which is a number of them or a date (RFC 9110 §10.2.3), LONGEST_PAUSE at most; None
    for neither."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            date = parsedate_to_datetime(text)
            seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
        except (ValueError, OverflowError):
            return None
    return min(max(0.0, seconds), LONGEST_PAUSE) if math.isfinite(seconds) else None


def _said(vendor: Vendor, headers: Mapping[str, str], body: bytes) -> float | None:
    """What a 429 without Retry-After says in the vendor's own form."""
    if vendor.throttled is None:
        return None
    try:
        return vendor.throttled(headers, msgspec.json.decode(body) if body else None)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return vendor.throttled(headers, None)


def _failure(error: Exception, sent: bool) -> CallFailed:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NotPublic):
            return Refused(str(cause))
        if isinstance(cause, NotProcessed):
            return NotReached("the vendor ended the connection before the request")
        cause = cause.__cause__ or cause.__context__
    if not sent:
        return NotReached(f"no connection to the vendor could be made ({type(error).__name__})")
    return NoAnswer(f"the vendor did not answer to the end ({type(error).__name__})")


def _next(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Request:
    target = request.url.join(answer.headers["location"])
    same = (target.scheme, target.host, target.port) == (request.url.scheme, request.url.host, request.url.port)
    if not same or request.method not in ("GET", "HEAD"):
        raise BadAnswer("the vendor redirects elsewhere", passing=False)
    headers = request.headers.copy()
    return httpx2.Request(request.method, target, headers=headers, extensions=request.extensions)


async def _body(answer: httpx2.Response, max_bytes: int) -> bytes:
    """The decoded body, never more of it in memory than may be."""
    encoding = answer.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise BadAnswer("the answer has an encoding that was not asked for", passing=False)
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if encoding == "gzip" else None
    body = bytearray()
    async for raw in answer.aiter_raw():
        try:
            body += unzip.decompress(raw, max_bytes + 1 - len(body)) if unzip else raw
        except zlib.error:
            raise BadAnswer("the answer is no gzip") from None
        if len(body) > max_bytes:
            raise BadAnswer(f"the answer is longer than {max_bytes:,} bytes", passing=False)
    if unzip and body and not unzip.eof:
        raise BadAnswer("the answer ends too early")
    return bytes(body)


def _decoded(status: int, headers: Mapping[str, str], body: bytes) -> Any:
    if not body:
        if status < 300 and status not in (202, 204, 205):
            raise BadAnswer("the answer is empty")
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise BadAnswer(f"the answer is {kind or 'of no type'} and not JSON")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadAnswer("the answer is no JSON") from None
