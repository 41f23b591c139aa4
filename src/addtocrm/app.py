"""The composition root: the one place where rooms are joined."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from functools import lru_cache
from typing import Any, cast

import msgspec
import structlog
from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import Receive, Send

from addtocrm import logs
from addtocrm import settings as settings_module
from addtocrm.api import docs, failures
from addtocrm.api.endpoint import Endpoint
from addtocrm.companies import routes as companies
from addtocrm.crm import routes as crm
from addtocrm.db.notify import Listener
from addtocrm.db.pool import Pool, open_pool
from addtocrm.emails import routes as emails
from addtocrm.emails.desk import SINGLE, Desk
from addtocrm.emails.engine import Engine
from addtocrm.emails.politeness import FOR_SINGLE_CALLS, TOTAL
from addtocrm.emails.postgres_slots import PostgresSlots
from addtocrm.events import routes as event_routes
from addtocrm.events import service as events
from addtocrm.gate.asgi import Gate
from addtocrm.gate.context import Route, require_normal
from addtocrm.gate.limits import Limiter, ValkeyLimiter
from addtocrm.gate.record import Recorder
from addtocrm.gate.shared import SharedLimiter
from addtocrm.health import routes as health
from addtocrm.idempotency.service import Idempotency
from addtocrm.jobs import routes as jobs
from addtocrm.keys.service import KeyRing
from addtocrm.lists import routes as lists
from addtocrm.lookups.hot import HotResults
from addtocrm.lookups.service import Lookups
from addtocrm.people import routes as people
from addtocrm.providers import registry
from addtocrm.providers.contract import Setup
from addtocrm.providers.dataset import Dataset
from addtocrm.providers.waterfall import Waterfall
from addtocrm.settings import Settings
from addtocrm.suppressions import service as suppressions
from addtocrm.usage import routes as usage

log = structlog.get_logger()

PARENT_POLL_SECONDS = 0.25


class Services(msgspec.Struct, frozen=True):
    """What a server process has running."""

    settings: Settings
    pool: Pool
    listener: Listener
    ring: KeyRing
    hot: HotResults
    lookups: Lookups
    idempotency: Idempotency
    limiter: Limiter
    recorder: Recorder
    waterfall: Waterfall
    engine: Engine


@asynccontextmanager
async def running(
    settings: Settings,
    hear: Callable[[str, str], None] = lambda kind, subject: None,
    mail_connections: int = TOTAL + FOR_SINGLE_CALLS,
) -> AsyncIterator[Services]:
    """The services of one server process, started; `settings.database_url` must be set.

    `hear` is told of every notice (see `Listener`); `mail_connections` are open at a time, over all processes.
    """
    assert settings.database_url is not None
    session = await suppressions.session(settings.database_url, settings.data_dir, replace=True)
    pool = await open_pool(settings.database_url, session=session)
    ring = KeyRing(pool, settings.rate_per_minute, settings.rate_per_hour)
    hot = HotResults()

    def on_notice(kind: str, subject: str) -> None:
        if kind == "account":
            ring.forget(subject)
        elif kind == "results":
            hot.forget(subject)
        elif kind == "result":
            hot.forget_one(*subject.split(":"))
        hear(kind, subject)

    def on_lost() -> None:
        ring.forget_all()
        hot.clear()

    listener = Listener(settings.database_url, on_notice, on_lost)
    await listener.start()
    lookups = Lookups(pool, listener.instance, settings.cache_days, hot, ring.balances)
    idempotency = Idempotency(pool, listener.instance)
    limiter = ValkeyLimiter(settings.valkey_url) if settings.valkey_url else SharedLimiter(pool, listener)
    recorder = Recorder()
    slots = PostgresSlots(settings.database_url, total=mail_connections)
    engine = Engine(settings, slots)
    waterfall = Waterfall(registry.load(Setup(settings, pool, engine)))
    await lookups.sweep()
    tasks = [
        asyncio.create_task(work)
        for work in (
            events.keep_publishing(pool),
            events.keep_deleting(pool, settings.event_days),
            lookups.keep_sweeping(),
            idempotency.keep_sweeping(),
        )
    ]
    try:
        yield Services(settings, pool, listener, ring, hot, lookups, idempotency, limiter, recorder, waterfall, engine)
    finally:
        await lookups.drain()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await slots.close()
        await limiter.close()
        await listener.stop()
        await pool.close()
        recorder.close()


def build(services: Services) -> Gate:
    """The ASGI application over running services: the gate, and behind it the routes."""

    def given(value: Any) -> Provide:
        return Provide(lambda: value, sync_to_thread=False, use_cache=True)

    api = [
        *people.handlers,
        *companies.handlers,
        *emails.handlers,
        *crm.handlers,
        *lists.handlers,
        *jobs.handlers,
        *usage.handlers,
        *event_routes.handlers,
    ]
    open_to_all = [*docs.handlers(api, services.settings.base_url), *health.handlers]
    routes = Litestar(
        route_handlers=[*api, *open_to_all],
        dependencies={
            "settings": given(services.settings),
            "pool": given(services.pool),
            "lookups": given(services.lookups),
            "waterfall": given(services.waterfall),
            "engine": given(services.engine),
            "desk": given(Desk(services.engine, SINGLE)),
            "dataset": given(Dataset(services.pool)),
            "listener": given(services.listener),
            "recorder": given(services.recorder),
        },
        exception_handlers=failures.handlers,
        request_max_body_size=services.settings.max_body_bytes,
        openapi_config=None,
        logging_config=None,
    )

    @lru_cache(1024)
    def find(path: str, method: str) -> Route | None:
        require_normal(path)
        try:
            _, handler, _, _, template = routes.asgi_router.handle_routing(path=path, method=cast(Any, method))
        except HTTPException:
            return None
        endpoint: Endpoint | None = handler.opt.get("endpoint")
        return Route(template, endpoint.scopes, endpoint.all_scopes, endpoint.body is not None) if endpoint else None

    return Gate(routes, services, {path for handler in open_to_all for path in handler.paths}, find)


class Server:
    """The ASGI entry of a worker process: starts the services with the lifespan, then serves."""

    def __init__(self) -> None:
        self._gate: Gate | None = None

    def __call__(self, scope: Any, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        if scope["type"] == "lifespan":
            return self._live(receive, send)
        assert self._gate is not None
        return self._gate(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        settings = settings_module.load()
        logs.configure(settings.log_level)
        await receive()
        try:
            async with AsyncExitStack() as stack:
                services = await stack.enter_async_context(running(settings))
                await services.limiter.start()
                self._gate = build(services)
                parent = asyncio.create_task(_end_with(os.getppid()))
                await send({"type": "lifespan.startup.complete"})
                await receive()
                parent.cancel()
        except Exception as error:
            log.exception("start_failed" if self._gate is None else "stop_failed")
            if self._gate is None:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
        await send({"type": "lifespan.shutdown.complete"})


async def _end_with(parent: int) -> None:
    """Ends this process when the one that started it was killed, so that no orphan keeps the port."""
    while os.getppid() == parent:
        await asyncio.sleep(PARENT_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def server() -> Server:
    """The factory that the web server calls in each worker."""
    return Server()
