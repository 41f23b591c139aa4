"""What happened, the latest first."""

from typing import Any

from litestar import Response, get

from addtocrm.core.db.pool import Pool
from addtocrm.dashboard import actors, forms
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.live import Live, never
from addtocrm.dashboard.page import page
from addtocrm.dashboard.visitor import AnyRequest, signed_in
from addtocrm.events import service
from addtocrm.events.model import EVENT_TYPES

ON_A_PAGE = 50


@get("/events", opt=needs())
async def show(request: AnyRequest, pool: Pool) -> Response[str]:
    asked, account_id = request.query_params, signed_in(request).account_id
    shown = await service.browse(
        pool,
        account_id,
        before=asked.get("before"),
        after=asked.get("after"),
        type=asked.get("type") or None,
        actor=forms.asked(request, "actor") or None,
        limit=ON_A_PAGE,
    )
    return page(request, "events.html", shown=shown, types=EVENT_TYPES, actors=await actors.names(pool, account_id))


@get("/events/live", opt=needs(), sync_to_thread=False)
def follow(request: AnyRequest, live: Live) -> Response[Any]:
    """Server-sent events that say when there are new events."""
    return live.stream(request, f"events:{signed_in(request).account_id}", never)


handlers = (show, follow)
