"""All pages, as routes."""

from typing import Any

from litestar import Response, Router, get
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from addtocrm.core.errors import ApiError
from addtocrm.dashboard import assets, guard, page
from addtocrm.dashboard.pages import (
    connection,
    contacts,
    enrich,
    events,
    forgot,
    guides,
    jobs,
    joining,
    keys,
    lists,
    members,
    operator,
    overview,
    search,
    security,
    sign_in,
    trying,
    usage,
    verify,
)


@get("/{rest:path}", opt=guard.opened(), sync_to_thread=False)
def missing(rest: str) -> Response[str]:
    raise ApiError("not_found", "There is no such page.")


HANDLERS: tuple[HTTPRouteHandler, ...] = (
    assets.asset,
    *sign_in.handlers,
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
    *events.handlers,
    *usage.handlers,
    *members.handlers,
    *security.handlers,
    *guides.handlers,
    *trying.handlers,
    *operator.handlers,
    missing,
)


def routes() -> Router:
    """The pages under /dashboard. Each needs a sign-in unless it says otherwise (see `guard`)."""
    failures: dict[Any, Any] = {
        ApiError: page.answer_error,
        HTTPException: page.answer_http_exception,
        Exception: page.answer_crash,
    }
    return Router("/dashboard", route_handlers=HANDLERS, before_request=guard.enter, exception_handlers=failures)
