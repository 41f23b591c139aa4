"""Credits: what is left, what was used, and each line of the ledger."""

from litestar import Response, get

from addtocrm.core.db.pool import Pool
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import page
from addtocrm.dashboard.visitor import AnyRequest, signed_in
from addtocrm.tenants.usage import service

ON_A_PAGE = 50


@get("/usage", opt=needs())
async def show(request: AnyRequest, pool: Pool) -> Response[str]:
    account_id = signed_in(request).account_id
    used = await service.of_account(pool, account_id)
    lines, cursor = await service.ledger(pool, account_id, request.query_params.get("cursor"), ON_A_PAGE)
    return page(request, "usage.html", usage=used, lines=lines, cursor=cursor)


handlers = (show,)
