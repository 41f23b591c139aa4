"""What API keys asked for, and what became of it."""

from datetime import datetime
from typing import Any, get_args
from urllib.parse import quote

from litestar import Response, get
from litestar.response import Redirect

from addtocrm.core import times
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, ErrorType
from addtocrm.dashboard import actors, forms
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.live import Live, never
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, signed_in
from addtocrm.events import service as events
from addtocrm.jobs import service as jobs
from addtocrm.tenants.keys import service as keys
from addtocrm.tenants.requests import service
from addtocrm.tenants.requests.model import FAILED, SUCCEEDED, Page, Wanted
from addtocrm.tenants.usage import service as usage
from addtocrm.web.openapi import MEANING

ON_A_PAGE = 50
SHOWN = 20
"""Lines of the ledger, and events, on a request's page."""
RESULTS = {"": "All", SUCCEEDED: "Succeeded", FAILED: "Failed", **{type: type for type in get_args(ErrorType)}}


@get("/requests", opt=needs())
async def show(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    asked = request.query_params
    if asked.get("id", "").strip():
        return go(f"/dashboard/requests/{quote(asked['id'].strip().lower(), safe='')}")
    account_id = signed_in(request).account_id
    faults: dict[str, str] = {}
    wanted = Wanted(
        result=forms.asked(request, "result"),
        key_id=forms.asked(request, "key"),
        path=forms.asked(request, "path").strip(),
        since=_time(request, "since", faults),
        until=_time(request, "until", faults),
    )
    found = (
        Page([], None, None) if faults else await service.page(pool, account_id, wanted, asked.get("cursor"), ON_A_PAGE)
    )
    return page(
        request,
        "requests.html",
        400 if faults else 200,
        faults=faults,
        found=found,
        wanted=wanted,
        results=RESULTS,
        keys={key.id: key.name for key in await keys.of_account(pool, account_id)},
        days=request.app.state.settings.request_days,
    )


@get("/requests/live", opt=needs(), sync_to_thread=False)
def follow(request: AnyRequest, live: Live) -> Response[Any]:
    """Server-sent events that say when there are new requests."""
    return live.stream(request, f"requests:{signed_in(request).account_id}", never)


@get("/requests/{id:str}", opt=needs())
async def one(request: AnyRequest, id: str, pool: Pool) -> Response[str]:
    """Also of what was done in the dashboard, whose requests are not kept: what it led to."""
    account_id = signed_in(request).account_id
    found = await service.get(pool, account_id, id)
    lines = await usage.of_request(pool, account_id, id, SHOWN)
    happened = await events.of_request(pool, account_id, id, SHOWN)
    job = await jobs.of_request(pool, account_id, id)
    if not (found or lines or happened or job):
        days = request.app.state.settings.request_days
        raise ApiError("not_found", f"There is no request {id[:100]}. Requests are kept for {days} days.")
    return page(
        request,
        "request.html",
        id=id,
        found=found,
        lines=lines,
        events=happened,
        job=job,
        actors=await actors.names(pool, account_id),
        meaning=MEANING,
        shown=SHOWN,
    )


def _time(request: AnyRequest, name: str, faults: dict[str, str]) -> datetime | None:
    """The time in a field of the address; what is wrong with it is put among the `faults`."""
    text = request.query_params.get(name, "")
    try:
        return times.parse(text) if text else None
    except ValueError:
        faults[name] = "Enter a time such as 2030-01-31T09:00."
        return None


handlers = (show, follow, one)
