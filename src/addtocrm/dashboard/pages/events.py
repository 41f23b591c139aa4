"""What happened, the latest first."""

from litestar import Response, get

from addtocrm.core.db.pool import Pool
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import page
from addtocrm.dashboard.visitor import AnyRequest, signed_in
from addtocrm.events import service
from addtocrm.events.model import EVENT_TYPES

ON_A_PAGE = 50


@get("/events", opt=needs())
async def show(request: AnyRequest, pool: Pool) -> Response[str]:
    chosen = request.query_params.get("type", "")
    before = request.query_params.get("cursor")
    events, cursor = await service.latest(
        pool, signed_in(request).account_id, before=before, type=chosen or None, limit=ON_A_PAGE
    )
    return page(request, "events.html", events=events, cursor=cursor, types=EVENT_TYPES, chosen=chosen)


handlers = (show,)
