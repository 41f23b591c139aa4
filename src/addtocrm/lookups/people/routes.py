"""POST /v1/people/enrich and /v1/batch/people-enrich."""

from litestar import Response, post

from addtocrm.core.db.pool import Pool
from addtocrm.core.records.person import Person
from addtocrm.jobs.model import Job
from addtocrm.lookups.model import Ref
from addtocrm.lookups.people import batch, service
from addtocrm.lookups.people.model import EnrichBatch, EnrichPerson
from addtocrm.lookups.routes import billed
from addtocrm.lookups.service import Lookups
from addtocrm.sources.waterfall import Waterfall
from addtocrm.web.endpoint import AnyRequest, caller_of, data, endpoint, read_body


@post(
    "/v1/people/enrich",
    status_code=200,
    opt=endpoint(
        "Enrich a person",
        scopes=("enrich",),
        answer=Person,
        tag="People",
        body=EnrichPerson,
        billable=True,
        errors=("insufficient_credits", "not_found"),
        example={"linkedin_url": "https://www.linkedin.com/in/jane-doe-example"},
    ),
)
async def enrich(request: AnyRequest, lookups: Lookups, waterfall: Waterfall) -> Response[bytes]:
    """Everything known of a person. One credit; none where nobody matches, and none again for 30 days."""
    body = await read_body(request, EnrichPerson)
    passed = caller_of(request)
    query = service.query_of(body)
    answer = await service.enrich(
        lookups, waterfall, passed.caller, query, refresh=body.refresh, min_confidence=body.min_confidence
    )
    if not (body.refresh or body.required or body.min_confidence):
        passed.ref = Ref.of(passed.caller.account_id, service.ENRICH, service.lookup_key(query))
    return billed(request, answer)


@post(
    "/v1/batch/people-enrich",
    status_code=202,
    opt=endpoint(
        "Enrich many people",
        scopes=("enrich",),
        answer=Job,
        tag="People",
        body=EnrichBatch,
        status=202,
        example={"items": ["https://www.linkedin.com/in/jane-doe-example", {"email": "jane.doe@acme.example.com"}]},
    ),
)
async def enrich_batch(request: AnyRequest, pool: Pool) -> Response[bytes]:
    """A job that enriches up to 10,000 people, each as `POST /v1/people/enrich` would, the same one once."""
    body = await read_body(request, EnrichBatch)
    return data(await batch.submit(pool, caller_of(request).caller, body.items), 202)


handlers = [enrich, enrich_batch]
