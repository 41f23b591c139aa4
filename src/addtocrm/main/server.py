"""A server's process: the gate, and behind it the routes, over running services."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import lru_cache
from typing import Any, cast

import structlog
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.types import Receive, Send

from addtocrm.core import logs
from addtocrm.core import settings as settings_module
from addtocrm.core.leaving import LEAVING
from addtocrm.crm import routes as crm
from addtocrm.dashboard import app as dashboard
from addtocrm.dashboard import callback, reference
from addtocrm.dashboard.live import Live
from addtocrm.dashboard.page import FAILURES
from addtocrm.events import routes as event_routes
from addtocrm.gate.asgi import PAGES, Gate
from addtocrm.jobs import routes as jobs
from addtocrm.lists import routes as lists
from addtocrm.lookups.companies import routes as companies
from addtocrm.lookups.emails import routes as emails
from addtocrm.lookups.people import routes as people
from addtocrm.lookups.search import routes as search
from addtocrm.mail.desk import SINGLE, Desk
from addtocrm.main.services import Services, running
from addtocrm.sources.providers.dataset import Dataset
from addtocrm.tenants.usage import routes as usage
from addtocrm.web import failures, health, openapi
from addtocrm.web.context import Route, is_normal
from addtocrm.web.endpoint import Endpoint

log = structlog.get_logger()

PARENT_POLL_SECONDS = 0.25


def build(services: Services, live: Live) -> Gate:
    """The ASGI application over running services: the gate, and behind it the routes."""

    def given(value: Any) -> Provide:
        return Provide(lambda: value, sync_to_thread=False, use_cache=True)

    api = [
        *people.handlers,
        *search.handlers,
        *companies.handlers,
        *emails.handlers,
        *crm.handlers,
        *lists.handlers,
        *jobs.handlers,
        *usage.handlers,
        *event_routes.handlers,
    ]
    document = openapi.document(api, services.settings.base_url)
    open_to_all = [*reference.handlers(document, services.settings.base_url), *health.handlers, *callback.handlers()]
    routes = Litestar(
        route_handlers=[*api, *open_to_all, dashboard.routes()],
        dependencies={
            "settings": given(services.settings),
            "pool": given(services.pool),
            "crm": given(services.crm),
            "lookups": given(services.lookups),
            "waterfall": given(services.waterfall),
            "engine": given(services.engine),
            "reader": given(services.reader),
            "desk": given(Desk(services.engine, SINGLE)),
            "dataset": given(Dataset(services.pool)),
            "listener": given(services.listener),
            "recorder": given(services.recorder),
            "live": given(live),
        },
        state=State(
            {"settings": services.settings, "pool": services.pool, "limiter": services.limiter, "document": document}
        ),
        exception_handlers={kind: _of_place(api, FAILURES[kind]) for kind, api in failures.handlers.items()},
        request_max_body_size=services.settings.max_body_bytes,
        openapi_config=None,
        logging_config=None,
    )

    @lru_cache(1024)
    def find(path: str, method: str) -> Route | None:
        if not path.startswith(PAGES) and not is_normal(path):
            return None
        try:
            _, handler, _, _, template = routes.asgi_router.handle_routing(path=path, method=cast(Any, method))
        except HTTPException:
            return None
        endpoint: Endpoint | None = handler.opt.get("endpoint")
        if path.startswith(PAGES):
            return Route(template, (), all_scopes=False, takes_json=False)
        return Route(template, endpoint.scopes, endpoint.all_scopes, endpoint.body is not None) if endpoint else None

    return Gate(routes, services, {path for handler in open_to_all for path in handler.paths}, find)


def _of_place(api: Callable[..., Any], pages: Callable[..., Any]) -> Callable[..., Any]:
    """What answers a failure before it is known whose path it is: to people by a page, to programs by JSON."""

    def answer(request: Any, error: Any) -> Any:
        return (pages if request.url.path.startswith(PAGES) else api)(request, error)

    return answer


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
        live = Live()
        await receive()
        try:
            async with AsyncExitStack() as stack:
                services = await stack.enter_async_context(running(settings, live.hear))
                await services.limiter.start()
                self._gate = build(services, live)
                parent = asyncio.create_task(_end_with(os.getppid(), live))
                await send({"type": "lifespan.startup.complete"})
                await receive()
                parent.cancel()
        except Exception as error:
            log.exception("start_failed" if self._gate is None else "stop_failed")
            if self._gate is None:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
        await send({"type": "lifespan.shutdown.complete"})


async def _end_with(parent: int, live: Live) -> None:
    """Ends this process when the one that started it was killed, so that no orphan keeps the port; and the streams,
    which would keep it, when that one says that it is ending."""
    while os.getppid() == parent:
        if LEAVING.is_set():
            live.close()
        await asyncio.sleep(PARENT_POLL_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def server() -> Server:
    """The factory that the web server calls in each worker."""
    return Server()
