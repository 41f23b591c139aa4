"""A job: how far it is, and what came of each item."""

from typing import Any

from litestar import Response, get, post
from litestar.response import Redirect, Stream

from addtocrm.core.db.pool import Pool
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, caller_of, signed_in
from addtocrm.jobs import service
from addtocrm.jobs.table import table

ON_A_PAGE = 50


@get("/jobs/{id:str}", opt=needs())
async def show(request: AnyRequest, id: str, pool: Pool) -> Response[str]:
    account_id = signed_in(request).account_id
    job = await service.get(pool, account_id, id)
    results, cursor = await service.results(pool, account_id, id, request.query_params.get("cursor"), ON_A_PAGE)
    return page(request, "job.html", job=job, results=results, cursor=cursor)


@get("/jobs/{id:str}/results.csv", opt=needs())
async def download(request: AnyRequest, id: str, pool: Pool) -> Stream:
    await service.get(pool, signed_in(request).account_id, id)
    headers = {"content-disposition": f'attachment; filename="{id}.csv"', "cache-control": "no-store"}
    return Stream(table(lambda: service.pages(pool, id)), media_type="text/csv", headers=headers)


@post("/jobs/{id:str}/cancel", opt=needs(), status_code=200)
async def cancel(request: AnyRequest, id: str, pool: Pool) -> Redirect:
    await service.cancel(pool, caller_of(request), id)
    return go(f"/dashboard/jobs/{id}")


handlers: tuple[Any, ...] = (show, download, cancel)
