"""POST /v1/companies/lookup and /v1/batch/companies-lookup."""

from litestar import Response, post

from addtocrm.core.db.pool import Pool
from addtocrm.core.records.company import Company
from addtocrm.jobs.model import Job
from addtocrm.lookups.companies import batch, service
from addtocrm.lookups.companies.model import LookUpBatch, LookUpCompany
from addtocrm.lookups.model import Ref
from addtocrm.lookups.routes import billed
from addtocrm.lookups.service import Lookups
from addtocrm.sources.waterfall import Waterfall
from addtocrm.web.endpoint import AnyRequest, caller_of, data, endpoint, read_body


@post(
    "/v1/companies/lookup",
    status_code=200,
    opt=endpoint(
        "Look a company up",
        scopes=("enrich",),
        answer=Company,
        tag="Companies",
        body=LookUpCompany,
        billable=True,
        errors=("insufficient_credits", "not_found"),
        example={"domain": "acme.example.com"},
    ),
)
async def lookup(request: AnyRequest, lookups: Lookups, waterfall: Waterfall) -> Response[bytes]:
    """Everything known of a company. One credit; none where nothing matches, and none again for 30 days."""
    body = await read_body(request, LookUpCompany)
    passed = caller_of(request)
    query = service.query_of(body)
    answer = await service.lookup(lookups, waterfall, passed.caller, query, refresh=body.refresh)
    if not body.refresh:
        passed.ref = Ref.of(passed.caller.account_id, service.LOOKUP, service.lookup_key(query))
    return billed(request, answer)


@post(
    "/v1/batch/companies-lookup",
    status_code=202,
    opt=endpoint(
        "Look many companies up",
        scopes=("enrich",),
        answer=Job,
        tag="Companies",
        body=LookUpBatch,
        status=202,
        example={"items": ["acme.example.com", {"name": "Globex"}]},
    ),
)
async def lookup_batch(request: AnyRequest, pool: Pool) -> Response[bytes]:
    """A job that looks up to 10,000 companies up, each as `POST /v1/companies/lookup` would, the same one once."""
    body = await read_body(request, LookUpBatch)
    return data(await batch.submit(pool, caller_of(request).caller, body.items), 202)


handlers = [lookup, lookup_batch]
