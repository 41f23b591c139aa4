"""/v1/lists and what is below."""

from typing import Annotated

import msgspec
from litestar import Response, delete, get, patch, post
from msgspec import Meta

from addtocrm.core.db.pool import Pool
from addtocrm.jobs.model import Job
from addtocrm.lists import service
from addtocrm.lists.model import AddedMembers, ChangedList, ChangedMember, Member, NewList, NewMembers, PeopleList, Push
from addtocrm.web.context import Scopes
from addtocrm.web.endpoint import AnyRequest, caller_of, data, endpoint, json, read_body, read_query

SCOPES: Scopes = ("lists",)


class PageQuery(msgspec.Struct, frozen=True):
    limit: Annotated[int, Meta(ge=1, le=100, description="Items on a page.")] = 50
    cursor: Annotated[str | None, Meta(description="`next_cursor` of the page before.")] = None


@get(
    "/v1/lists",
    opt=endpoint("Lists", scopes=SCOPES, answer=list[PeopleList], tag="Lists", query=PageQuery),
)
async def get_lists(request: AnyRequest, pool: Pool) -> Response[bytes]:
    """The account's lists, oldest first."""
    query = read_query(request, PageQuery)
    account_id = caller_of(request).caller.account_id
    page, next_cursor = await service.page(pool, account_id, query.cursor, query.limit)
    return json({"data": page, "next_cursor": next_cursor})


@post(
    "/v1/lists",
    opt=endpoint(
        "Make a list",
        scopes=SCOPES,
        answer=PeopleList,
        tag="Lists",
        body=NewList,
        status=201,
        example={"name": "Autumn campaign"},
    ),
)
async def create_list(request: AnyRequest, pool: Pool) -> Response[bytes]:
    """A new, empty list."""
    body = await read_body(request, NewList)
    return data(await service.create(pool, caller_of(request).caller, body), 201)


@get(
    "/v1/lists/{id:str}",
    opt=endpoint("A list", scopes=SCOPES, answer=PeopleList, tag="Lists", errors=("not_found",)),
)
async def get_list(request: AnyRequest, id: str, pool: Pool) -> Response[bytes]:
    """One list with the number of its members."""
    return data(await service.get(pool, caller_of(request).caller.account_id, id))


@patch(
    "/v1/lists/{id:str}",
    opt=endpoint(
        "Change a list",
        scopes=SCOPES,
        answer=PeopleList,
        tag="Lists",
        body=ChangedList,
        errors=("not_found",),
        example={"name": "Winter campaign"},
    ),
)
async def change_list(request: AnyRequest, id: str, pool: Pool) -> Response[bytes]:
    """Renames a list or describes it; what is not sent stays."""
    body = await read_body(request, ChangedList)
    return data(await service.change(pool, caller_of(request).caller, id, body))


@delete(
    "/v1/lists/{id:str}",
    status_code=200,
    opt=endpoint("Delete a list", scopes=SCOPES, answer=None, tag="Lists", errors=("not_found",)),
)
async def delete_list(request: AnyRequest, id: str, pool: Pool) -> Response[bytes]:
    """Deletes a list; what was written to a CRM stays there."""
    await service.delete(pool, caller_of(request).caller, id)
    return data(None)


@get(
    "/v1/lists/{id:str}/members",
    opt=endpoint(
        "A list's members",
        scopes=SCOPES,
        answer=list[Member],
        tag="Lists",
        query=PageQuery,
        errors=("not_found",),
    ),
)
async def get_members(request: AnyRequest, id: str, pool: Pool) -> Response[bytes]:
    """Who is on a list, in the order of their coming."""
    query = read_query(request, PageQuery)
    account_id = caller_of(request).caller.account_id
    page, next_cursor = await service.members(pool, account_id, id, query.cursor, query.limit)
    return json({"data": page, "next_cursor": next_cursor})


@post(
    "/v1/lists/{id:str}/members",
    opt=endpoint(
        "Put people on a list",
        scopes=SCOPES,
        answer=AddedMembers,
        tag="Lists",
        body=NewMembers,
        status=(200, 201),
        errors=("not_found",),
        example={
            "people": [
                {
                    "linkedin_url": "https://www.linkedin.com/in/jane-doe-example",
                    "full_name": "Jane Doe",
                }
            ]
        },
    ),
)
async def add_members(request: AnyRequest, id: str, pool: Pool) -> Response[bytes]:
    """Up to 1,000 people; the same person is on a list once. 201 where somebody came, 200 where all were there."""
    body = await read_body(request, NewMembers)
    added = await service.add(pool, caller_of(request).caller, id, body.people)
    return data(added, 201 if added.added else 200)


@patch(
    "/v1/lists/{id:str}/members/{member_id:str}",
    opt=endpoint(
        "Note something about a member",
        scopes=SCOPES,
        answer=Member,
        tag="Lists",
        body=ChangedMember,
        errors=("not_found",),
        example={"note": "Met at the trade fair."},
    ),
)
async def change_member(request: AnyRequest, id: str, member_id: str, pool: Pool) -> Response[bytes]:
    """A note is for the account's own people: it is not pushed to the CRM."""
    body = await read_body(request, ChangedMember)
    return data(await service.annotate(pool, caller_of(request).caller, id, member_id, body.note))


@delete(
    "/v1/lists/{id:str}/members/{member_id:str}",
    status_code=200,
    opt=endpoint("Take a member off", scopes=SCOPES, answer=None, tag="Lists", errors=("not_found",)),
)
async def remove_member(request: AnyRequest, id: str, member_id: str, pool: Pool) -> Response[bytes]:
    """Takes one member off a list."""
    await service.remove(pool, caller_of(request).caller, id, member_id)
    return data(None)


@post(
    "/v1/lists/{id:str}/push",
    status_code=202,
    opt=endpoint(
        "Push a list to the CRM",
        scopes=("lists", "write"),
        all_scopes=True,
        answer=Job,
        tag="Lists",
        body=Push,
        status=202,
        errors=("not_found", "crm_not_connected"),
        example={"on_conflict": "fill_empty"},
    ),
)
async def push_list(request: AnyRequest, id: str, pool: Pool) -> Response[bytes]:
    """A job that writes each member to the CRM as POST /v1/crm/contacts does; follow it at GET /v1/jobs/{id}."""
    body = await read_body(request, Push)
    return data(await service.push(pool, caller_of(request).caller, id, body), 202)


handlers = [
    get_lists,
    create_list,
    get_list,
    change_list,
    delete_list,
    get_members,
    add_members,
    change_member,
    remove_member,
    push_list,
]
