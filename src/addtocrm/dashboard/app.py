"""All pages, as routes."""

from typing import Any

from litestar import Response, Router, get
from litestar.handlers import HTTPRouteHandler

from addtocrm.core.errors import ApiError
from addtocrm.dashboard import assets, guard, sure
from addtocrm.dashboard.page import FAILURES
from addtocrm.dashboard.pages import (
    confirm,
    connection,
    contacts,
    enrich,
    events,
    factors,
    forgot,
    guides,
    jobs,
    joining,
    keys,
    lists,
    mapping,
    members,
    operator,
    overview,
    requests,
    search,
    second_step,
    security,
    sign_in,
    trying,
    usage,
    verify,
)
from addtocrm.dashboard.visitor import AnyRequest


@get("/{rest:path}", opt=guard.opened(), sync_to_thread=False)
def missing(rest: str) -> Response[str]:
    raise ApiError("not_found", "There is no such page.")


HANDLERS: tuple[HTTPRouteHandler, ...] = (
    assets.asset,
    *sign_in.handlers,
    *second_step.handlers,
    *confirm.handlers,
    *joining.handlers,
    *forgot.handlers,
    *overview.handlers,
    *enrich.handlers,
    *search.handlers,
    *verify.handlers,
    *jobs.handlers,
    *lists.handlers,
    *contacts.handlers,
    *keys.handlers,
    *connection.handlers,
    *mapping.handlers,
    *requests.handlers,
    *events.handlers,
    *usage.handlers,
    *members.handlers,
    *security.handlers,
    *guides.handlers,
    *trying.handlers,
    *operator.handlers,
    *factors.handlers,
    missing,
)


def routes() -> Router:
    """The pages under /dashboard. Each needs a sign-in unless it says otherwise (see `guard`)."""
    return Router("/dashboard", route_handlers=HANDLERS, before_request=_enter, exception_handlers=FAILURES)


async def _enter(request: AnyRequest) -> Response[Any] | None:
    return await guard.enter(request) or await sure.ask(request)
