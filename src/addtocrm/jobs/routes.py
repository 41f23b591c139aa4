"""GET /v1/jobs/{id}, its results, and cancelling it."""

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get, post
from msgspec import Meta

from addtocrm.api.endpoint import AnyRequest, caller_of, data, endpoint, json, read_query
from addtocrm.db.pool import Pool
from addtocrm.gate.context import Scopes
from addtocrm.jobs import service
from addtocrm.jobs.model import Job, JobResult
from addtocrm.jobs.table import table

SCOPES: Scopes = ("enrich", "lists")


class ResultsQuery(msgspec.Struct, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=1000, description="Items on a page.")] = 50
    cursor: Annotated[str | None, Meta(description="`next_cursor` of the page before.")] = None
    format: Annotated[Literal["json", "csv"], Meta(description="Pages of JSON, or all as one CSV file.")] = "json"


@get(
    "/v1/jobs/{id:str}",
    opt=endpoint("A job", scopes=SCOPES, answer=Job, tag="Jobs", errors=("not_found",)),
)
async def get_job(request: AnyRequest, id: str, pool: Pool) -> Response[bytes]:
    """Where a job stands."""
    return data(await service.get(pool, caller_of(request).caller.account_id, id))


@get(
    "/v1/jobs/{id:str}/results",
    opt=endpoint(
        "A job's results",
        scopes=SCOPES,
        answer=list[JobResult],
        tag="Jobs",
        query=ResultsQuery,
        content_types=("text/csv",),
        errors=("not_found",),
    ),
)
async def get_results(request: AnyRequest, id: str, pool: Pool) -> Response[Any]:
    """The items in their order, also while the job runs; with `format=csv` all of them as a file."""
    query = read_query(request, ResultsQuery)
    account_id = caller_of(request).caller.account_id
    if query.format == "csv":
        return Response(
            await _csv(pool, account_id, id),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": f'attachment; filename="{id}.csv"'},
        )
    page, next_cursor = await service.results(pool, account_id, id, query.cursor, query.limit)
    return json({"data": page, "next_cursor": next_cursor})


async def _csv(pool: Pool, account_id: str, id: str) -> bytes:
    found: list[JobResult] = []
    cursor: str | None = None
    while True:
        page, cursor = await service.results(pool, account_id, id, cursor, 1000)
        found += page
        if cursor is None:
            return await asyncio.to_thread(table, found)


@post(
    "/v1/jobs/{id:str}/cancel",
    status_code=200,
    opt=endpoint("Cancel a job", scopes=SCOPES, answer=Job, tag="Jobs", errors=("not_found",)),
)
async def cancel_job(request: AnyRequest, id: str, pool: Pool) -> Response[bytes]:
    """What is done stays; what is pending is not begun."""
    return data(await service.cancel(pool, caller_of(request).caller, id))


handlers = [get_job, get_results, cancel_job]
