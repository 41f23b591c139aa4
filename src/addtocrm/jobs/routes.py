"""GET /v1/jobs/{id}, its results, and cancelling it."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get, post
from litestar.response import Stream
from msgspec import Meta

from addtocrm.core.db.pool import Pool
from addtocrm.jobs import service
from addtocrm.jobs.model import Job, JobResult
from addtocrm.jobs.table import table
from addtocrm.web.context import Scopes
from addtocrm.web.endpoint import AnyRequest, caller_of, data, endpoint, json, read_query

SCOPES: Scopes = ("enrich", "write", "lists")
"""A job is read and cancelled with the scope that made it."""


class ResultsQuery(msgspec.Struct, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=1000, description="Items on a page.")] = 50
    cursor: Annotated[str | None, Meta(description="`next_cursor` of the page before.")] = None
    format: Annotated[Literal["json", "csv"], Meta(description="Pages of JSON, or all as one CSV file.")] = "json"


@get(
    "/v1/jobs/{id:str}",
    opt=endpoint("A job", scopes=SCOPES, answer=Job, tag="Jobs", errors=("not_found",)),
)
async def get_job(request: AnyRequest, id: str, pool: Pool) -> Response[bytes]:
    """Where a job stands. A key needs the scope that made the job."""
    passed = caller_of(request)
    return data(await service.get(pool, passed.caller.account_id, id, passed.scopes))


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
    passed = caller_of(request)
    account_id = passed.caller.account_id
    if query.format == "csv":
        await service.get(pool, account_id, id, passed.scopes)
        return Stream(
            table(lambda: service.pages(pool, id)),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": f'attachment; filename="{id}.csv"'},
        )
    page, next_cursor = await service.results(pool, account_id, id, query.cursor, query.limit, passed.scopes)
    return json({"data": page, "next_cursor": next_cursor})


@post(
    "/v1/jobs/{id:str}/cancel",
    status_code=200,
    opt=endpoint("Cancel a job", scopes=SCOPES, answer=Job, tag="Jobs", errors=("not_found",)),
)
async def cancel_job(request: AnyRequest, id: str, pool: Pool) -> Response[bytes]:
    """What is done stays; what is pending is not begun. While something is still under way the job says `running`; once
    it says `cancelled`, its figures are final."""
    passed = caller_of(request)
    return data(await service.cancel(pool, passed.caller, id, passed.scopes))


handlers = [get_job, get_results, cancel_job]
