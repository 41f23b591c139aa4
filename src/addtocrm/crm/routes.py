"""/v1/crm: writing to the active CRM, and what it has."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post, put
from litestar.response import Stream
from msgspec import Meta

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ErrorType
from addtocrm.crm import batch, connections, export, mappings, service
from addtocrm.crm import contacts as people
from addtocrm.crm.batch import CrmContactsBatch
from addtocrm.crm.contract import CrmList, Field, Owner
from addtocrm.crm.kinds import Kind
from addtocrm.crm.model import (
    CompanyResult,
    CompanyWrite,
    Connection,
    Contact,
    ContactWrite,
    FieldMapping,
    MappingWrite,
    NoteResult,
    NoteWrite,
    TaskResult,
    TaskWrite,
    WriteResult,
)
from addtocrm.crm.setup import Setup
from addtocrm.jobs.model import Job
from addtocrm.web.context import Scopes
from addtocrm.web.endpoint import AnyRequest, caller_of, data, endpoint, json, read_body, read_query

READ: Scopes = ("read", "write")
WRITE: Scopes = ("write",)
CRM_ERRORS: tuple[ErrorType, ...] = ("crm_not_connected", "crm_token_expired", "crm_rate_limit", "crm_unavailable")

Cursor = Annotated[str | None, Meta(description="`next_cursor` of the page before.")]
Limit = Annotated[int, Meta(ge=1, le=100, description="Rows on a page.")]


class PageQuery(msgspec.Struct, frozen=True, kw_only=True):
    cursor: Cursor = None
    limit: Limit = 50


class ContactsQuery(PageQuery, frozen=True, kw_only=True):
    email: Annotated[str | None, Meta(description="Only the contact with this email.")] = None
    linkedin_url: Annotated[str | None, Meta(description="Only the contact with this LinkedIn URL.")] = None


class FieldsQuery(PageQuery, frozen=True, kw_only=True):
    object: Annotated[Kind, Meta(description="Whose fields.")] = "contact"


class MappingQuery(msgspec.Struct, frozen=True, kw_only=True):
    object: Annotated[Kind, Meta(description="Whose mapping.")] = "contact"


class ExportQuery(msgspec.Struct, frozen=True):
    format: Annotated[export.Format, Meta(description="CSV, or vCard 4.0.")] = "csv"


PERSON = {
    "linkedin_url": "https://www.linkedin.com/in/jane-doe-example",
    "full_name": "Jane Doe",
    "first_name": "Jane",
    "last_name": "Doe",
    "job_title": "Head of Sales",
    "email": "jane.doe@acme.example.com",
    "company": {"name": "Acme", "domain": "acme.example.com"},
}


def described(summary: str, scopes: Scopes, answer: Any, *more: ErrorType, **rest: Any) -> dict[str, Any]:
    """The `opt` of a CRM route."""
    return dict(endpoint(summary, scopes=scopes, answer=answer, tag="CRM", errors=(*CRM_ERRORS, *more), **rest))


@get(
    "/v1/crm/info",
    opt=endpoint("The active CRM", scopes=READ, answer=Connection, tag="CRM", errors=("crm_not_connected",)),
)
async def info(request: AnyRequest, pool: Pool) -> Response[bytes]:
    """The CRM that everything is written to, its state and what it can do."""
    return data(await connections.info(pool, caller_of(request).caller.account_id))


@post(
    "/v1/crm/contacts",
    opt=described(
        "Add a person to the CRM", WRITE, WriteResult, body=ContactWrite, status=(200, 201), example={"person": PERSON}
    ),
)
async def write_contact(request: AnyRequest, crm: Setup) -> Response[bytes]:
    """Takes the `data` of an enrichment as it is. The same person sent twice is one contact: 201 where it was
    made, 200 where it was there. Free."""
    body = await read_body(request, ContactWrite)
    result = await people.upsert(crm, caller_of(request).caller, body)
    return data(result, 201 if result.action == "created" and not body.dry_run else 200)


@post(
    "/v1/crm/companies",
    opt=described(
        "Add a company to the CRM",
        WRITE,
        CompanyResult,
        body=CompanyWrite,
        status=(200, 201),
        example={"company": {"name": "Acme", "domain": "acme.example.com"}},
    ),
)
async def write_company(request: AnyRequest, crm: Setup) -> Response[bytes]:
    """Takes the `data` of a company lookup as it is. 201 where it was made, 200 where it was there. Free."""
    body = await read_body(request, CompanyWrite)
    result = await service.upsert_company(crm, caller_of(request).caller, body)
    return data(result, 201 if result.action == "created" and not body.dry_run else 200)


@post(
    "/v1/crm/notes",
    opt=described(
        "Write a note on a contact",
        WRITE,
        NoteResult,
        "not_found",
        body=NoteWrite,
        status=201,
        example={"contact_id": "cco_0199d0c1b2a37c4d8e5f60718293a4b5", "text": "Met at the trade fair."},
    ),
)
async def write_note(request: AnyRequest, crm: Setup) -> Response[bytes]:
    """A note on a contact of the CRM."""
    body = await read_body(request, NoteWrite)
    return data(await service.add_note(crm, caller_of(request).caller, body), 201)


@post(
    "/v1/crm/tasks",
    opt=described(
        "Make a task about a contact",
        WRITE,
        TaskResult,
        "not_found",
        body=TaskWrite,
        status=201,
        example={
            "contact_id": "cco_0199d0c1b2a37c4d8e5f60718293a4b5",
            "title": "Call back",
            "due_at": "2030-01-31T09:00:00Z",
        },
    ),
)
async def write_task(request: AnyRequest, crm: Setup) -> Response[bytes]:
    """Something to do about a contact of the CRM."""
    body = await read_body(request, TaskWrite)
    return data(await service.add_task(crm, caller_of(request).caller, body), 201)


@get(
    "/v1/crm/contacts",
    opt=described("Contacts of the CRM", READ, list[Contact], query=ContactsQuery),
)
async def contacts(request: AnyRequest, crm: Setup) -> Response[bytes]:
    """The contacts with an email or a LinkedIn URL; all of them where neither is given."""
    query = read_query(request, ContactsQuery)
    page = await service.contacts(
        crm,
        caller_of(request).caller.account_id,
        email=query.email,
        linkedin_url=query.linkedin_url,
        cursor=query.cursor,
        limit=query.limit,
    )
    return _collection(page)


@get("/v1/crm/fields", opt=described("Fields of the CRM", READ, list[Field], query=FieldsQuery))
async def fields(request: AnyRequest, crm: Setup) -> Response[bytes]:
    """What a contact or a company can hold, custom fields too."""
    query = read_query(request, FieldsQuery)
    account_id = caller_of(request).caller.account_id
    return _collection(await service.fields(crm, account_id, query.object, query.cursor, query.limit))


@get("/v1/crm/mapping", opt=described("Field mapping", READ, FieldMapping, query=MappingQuery))
async def mapping(request: AnyRequest, crm: Setup) -> Response[bytes]:
    """What each field of the CRM gets of a person or a company."""
    query = read_query(request, MappingQuery)
    return data(await mappings.get(crm, caller_of(request).caller.account_id, query.object))


@put(
    "/v1/crm/mapping",
    opt=described(
        "Change the field mapping",
        WRITE,
        FieldMapping,
        body=MappingWrite,
        example={"object": "contact", "rules": [{"field": "jobtitle", "from": ["job_title", "headline"]}]},
    ),
)
async def put_mapping(request: AnyRequest, crm: Setup) -> Response[bytes]:
    """Puts rules in place of those before; each is checked against the CRM's fields."""
    body = await read_body(request, MappingWrite)
    return data(await mappings.put(crm, caller_of(request).caller.account_id, body))


@post(
    "/v1/batch/crm-contacts",
    opt=endpoint(
        "Add people to the CRM as a job",
        scopes=WRITE,
        answer=Job,
        tag="CRM",
        body=CrmContactsBatch,
        status=202,
        errors=("crm_not_connected",),
        example={"items": [{"person": PERSON}]},
    ),
)
async def batch_contacts(request: AnyRequest, pool: Pool) -> Response[bytes]:
    """Up to 10,000 bodies of POST /v1/crm/contacts; each is an item with its own result. Free."""
    body = await read_body(request, CrmContactsBatch)
    return data(await batch.submit(pool, caller_of(request).caller, body.items), 202)


@get("/v1/crm/owners", opt=described("Owners in the CRM", READ, list[Owner], query=PageQuery))
async def owners(request: AnyRequest, crm: Setup) -> Response[bytes]:
    """Who can own contacts, companies and tasks."""
    query = read_query(request, PageQuery)
    account_id = caller_of(request).caller.account_id
    return _collection(await service.owners(crm, account_id, query.cursor, query.limit))


@get("/v1/crm/lists", opt=described("Lists of the CRM", READ, list[CrmList], query=PageQuery))
async def lists(request: AnyRequest, crm: Setup) -> Response[bytes]:
    """The lists that a contact can be put on."""
    query = read_query(request, PageQuery)
    account_id = caller_of(request).caller.account_id
    return _collection(await service.lists(crm, account_id, query.cursor, query.limit))


@get(
    "/v1/crm/contacts/export",
    opt=described(
        "Export every contact",
        READ,
        str,
        query=ExportQuery,
        content_types=("text/csv", "text/vcard"),
    ),
)
async def export_contacts(request: AnyRequest, crm: Setup) -> Stream:
    """All contacts as one file, CSV or vCard 4.0."""
    format = read_query(request, ExportQuery).format
    pages = service.all_contacts(crm, caller_of(request).caller.account_id)
    first = await anext(pages)

    async def file() -> AsyncIterator[str]:
        yield export.header(format) + export.body(format, first)
        async for page in pages:
            yield export.body(format, page)

    return Stream(
        file(),
        media_type=export.CONTENT_TYPE[format],
        headers={"content-disposition": f'attachment; filename="contacts{export.SUFFIX[format]}"'},
    )


def _collection(page: tuple[list[Any], str | None]) -> Response[bytes]:
    return json({"data": page[0], "next_cursor": page[1]})


handlers = [
    info,
    write_contact,
    write_company,
    write_note,
    write_task,
    contacts,
    fields,
    mapping,
    put_mapping,
    batch_contacts,
    owners,
    lists,
    export_contacts,
]
