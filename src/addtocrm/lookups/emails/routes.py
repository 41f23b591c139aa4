"""POST /v1/emails/verify, /v1/emails/find and /v1/batch/emails-verify."""

from litestar import Response, post

from addtocrm.core.db.pool import Pool
from addtocrm.jobs.model import Job
from addtocrm.lookups.emails import batch, service
from addtocrm.lookups.emails.model import FindEmail, VerifyBatch, VerifyEmail
from addtocrm.lookups.model import Ref
from addtocrm.lookups.routes import billed
from addtocrm.lookups.service import Lookups
from addtocrm.mail.desk import Desk
from addtocrm.mail.engine import Engine
from addtocrm.mail.model import Found, Verification
from addtocrm.sources.providers.dataset import Dataset
from addtocrm.web.endpoint import AnyRequest, caller_of, data, endpoint, read_body


@post(
    "/v1/emails/verify",
    status_code=200,
    opt=endpoint(
        "Verify an email",
        scopes=("enrich",),
        answer=Verification,
        tag="Emails",
        body=VerifyEmail,
        billable=True,
        errors=("not_found",),
        example={"email": "jane.doe@acme.example.com"},
    ),
)
async def verify(request: AnyRequest, lookups: Lookups, desk: Desk) -> Response[bytes]:
    """Whether an address takes mail, asked of its own server; no mail is sent. One credit; none where the result is
    `unknown` or the text is no address, and none again for 30 days."""
    body = await read_body(request, VerifyEmail)
    passed = caller_of(request)
    answer, _ = await service.verify(lookups, desk, passed.caller, body.email, refresh=body.refresh)
    if not body.refresh:
        passed.ref = Ref.of(passed.caller.account_id, service.VERIFY, service.verify_key(body.email))
    return billed(request, answer)


@post(
    "/v1/emails/find",
    status_code=200,
    opt=endpoint(
        "Find a work email",
        scopes=("enrich",),
        answer=Found,
        tag="Emails",
        body=FindEmail,
        billable=True,
        errors=("not_found",),
        example={"first_name": "Jane", "last_name": "Doe", "domain": "acme.example.com"},
    ),
)
async def find(request: AnyRequest, lookups: Lookups, engine: Engine, dataset: Dataset) -> Response[bytes]:
    """The address that the domain's server confirms for a person's name. One credit if it is found, none otherwise."""
    body = await read_body(request, FindEmail)
    passed = caller_of(request)
    name = service.name_of(body.first_name, body.last_name, body.domain)
    answer = await service.find(lookups, engine, dataset, passed.caller, name, refresh=body.refresh)
    if not body.refresh:
        passed.ref = Ref.of(passed.caller.account_id, service.FIND, service.find_key(name))
    return billed(request, answer)


@post(
    "/v1/batch/emails-verify",
    status_code=202,
    opt=endpoint(
        "Verify many addresses",
        scopes=("enrich",),
        answer=Job,
        tag="Emails",
        body=VerifyBatch,
        status=202,
        example={"items": ["jane.doe@acme.example.com", "info@acme.example.com"]},
    ),
)
async def verify_batch(request: AnyRequest, pool: Pool) -> Response[bytes]:
    """A job that verifies up to 10,000 addresses, each as `POST /v1/emails/verify` would, the same one once. Servers
    that ask to come back later are asked again."""
    body = await read_body(request, VerifyBatch)
    return data(await batch.submit(pool, caller_of(request).caller, body.items), 202)


handlers = [verify, find, verify_batch]
