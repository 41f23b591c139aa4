"""POST /v1/companies/lookup."""

from typing import Annotated

import msgspec
from litestar import Response, post
from msgspec import Meta

from addtocrm.api.endpoint import AnyRequest, billed, caller_of, endpoint, read_body
from addtocrm.companies import service
from addtocrm.companies.model import Company
from addtocrm.lookups.model import Ref
from addtocrm.lookups.service import Lookups
from addtocrm.providers.waterfall import Waterfall


class LookUpCompany(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which company is meant, by exactly one of the three."""

    domain: Annotated[str | None, Meta(description="A domain or web address.", examples=["acme.example.com"])] = None
    linkedin_url: Annotated[str | None, Meta(description="A LinkedIn company URL.")] = None
    name: Annotated[str, Meta(max_length=300)] | None = None
    refresh: Annotated[bool, Meta(description="Ask afresh, and pay, also where the answer is cached.")] = False


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
    query = service.query_of(domain=body.domain, linkedin_url=body.linkedin_url, name=body.name)
    answer = await service.lookup(lookups, waterfall, passed.caller, query, refresh=body.refresh)
    if not body.refresh:
        passed.ref = Ref(passed.caller.account_id, service.LOOKUP.name, service.lookup_key(query))
    return billed(answer)


handlers = [lookup]
