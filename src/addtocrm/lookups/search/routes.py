"""POST /v1/people/search."""

import msgspec
from litestar import Response, post

from addtocrm.core.db.pool import Pool
from addtocrm.core.records.person import Person
from addtocrm.lookups.routes import note_cost
from addtocrm.lookups.search import service
from addtocrm.lookups.search.model import Counts, FoundPeople, SearchPeople
from addtocrm.lookups.service import Lookups
from addtocrm.sources.index.reader import Reader
from addtocrm.web.endpoint import AnyRequest, caller_of, endpoint, json, read_body


@post(
    "/v1/people/search",
    status_code=200,
    opt=endpoint(
        "Search people",
        scopes=("enrich",),
        answer=list[Person],
        tag="People",
        body=SearchPeople,
        billable=True,
        errors=("insufficient_credits",),
        beside=Counts,
        example={
            "filters": {"job_title": ["VP Sales", "Head of Growth"], "country": {"exclude": ["US"]}, "has_email": True},
            "limit": 25,
            "facets": ["country"],
        },
    ),
)
async def search(request: AnyRequest, lookups: Lookups, pool: Pool, reader: Reader) -> Response[bytes]:
    """People whom all filters fit, the most relevant and best known first. One credit a page; none for an empty one,
    and none again for 30 days."""
    body = await read_body(request, SearchPeople)
    query = service.query_of(body)
    answer = await service.search(lookups, pool, reader, caller_of(request).caller, query, refresh=body.refresh)
    note_cost(request, answer)
    page = msgspec.json.decode(answer.data, type=FoundPeople)
    counted = await service.facets(reader, query, body.facets) if body.facets else msgspec.UNSET
    return json(
        {
            "data": page.data,
            **msgspec.to_builtins(Counts(page.total, page.total_is_exact, counted)),
            "next_cursor": page.next_cursor,
            "cached": answer.cached,
            "credits_deducted": answer.credits_deducted,
            "credits_remaining": answer.credits_remaining,
        }
    )


handlers = [search]
