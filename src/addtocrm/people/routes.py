"""POST /v1/people/enrich."""

from typing import Annotated

import msgspec
from litestar import Response, post
from msgspec import Meta

from addtocrm.api.endpoint import AnyRequest, billed, caller_of, endpoint, read_body
from addtocrm.lookups.model import Ref
from addtocrm.lookups.service import Lookups
from addtocrm.people import service
from addtocrm.people.model import Person
from addtocrm.providers.waterfall import Waterfall

Name = Annotated[str, Meta(max_length=200)]


class EnrichPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is meant: a LinkedIn URL, or an e-mail, or a name with a company."""

    linkedin_url: Annotated[
        str | None,
        Meta(
            description="Any form of a person's LinkedIn URL.",
            examples=["https://www.linkedin.com/in/jane-doe-example"],
        ),
    ] = None
    email: Annotated[str, Meta(max_length=320)] | None = None
    first_name: Name | None = None
    last_name: Name | None = None
    company_domain: Annotated[str, Meta(max_length=300)] | None = None
    company_name: Name | None = None
    refresh: Annotated[bool, Meta(description="Ask afresh, and pay, also where the answer is cached.")] = False
    min_confidence: Annotated[float, Meta(ge=0, le=1, description="Below it, it is no match.")] = 0.0
    required: Annotated[
        list[str], Meta(max_length=30, description="Fields without which it is no match, such as `email`.")
    ] = []


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
    query = service.query_of(
        linkedin_url=body.linkedin_url,
        email=body.email,
        first_name=body.first_name,
        last_name=body.last_name,
        company_domain=body.company_domain,
        company_name=body.company_name,
        required=body.required,
    )
    answer = await service.enrich(
        lookups, waterfall, passed.caller, query, refresh=body.refresh, min_confidence=body.min_confidence
    )
    if not (body.refresh or body.required or body.min_confidence):
        passed.ref = Ref(passed.caller.account_id, service.ENRICH.name, service.lookup_key(query))
    return billed(answer)


handlers = [enrich]
