"""Lists of people."""

import math
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect, Stream

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.crm import connections, registry
from addtocrm.crm.merge import OnConflict
from addtocrm.dashboard import forms
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, caller_of, signed_in
from addtocrm.dashboard.words import CHANGED, duration, plain
from addtocrm.lists import importing, service
from addtocrm.lists.model import ChangedList, Description, ListName, NewList, Note, Push
from addtocrm.lists.table import table

ON_A_PAGE = 50
SAID = {
    "added": "The person is on the list.",
    "made": "The list was created. Add people from their pages, from a CSV file or with the API.",
    "saved": "Saved.",
    "removed": "The person is off the list.",
    "deleted": "The list is deleted.",
    "noted": "The note is saved.",
}
GONE = "This person is not on the list any more, so the note is not saved."


class Named(msgspec.Struct, frozen=True):
    name: ListName
    description: Description | None = None


class Renamed(Named, frozen=True):
    version: str | None = None


class Pushing(msgspec.Struct, frozen=True):
    expected_crm: str
    on_conflict: OnConflict = "fill_empty"


class Noted(msgspec.Struct, frozen=True):
    note: Note | None = None
    version: str | None = None


@get("/lists", opt=needs())
async def show_all(request: AnyRequest, pool: Pool) -> Response[str]:
    return await _all(request, pool)


@post("/lists", opt=needs(), status_code=200)
async def create(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    try:
        asked = await forms.read(request, Named)
    except ApiError as error:
        typed = await forms.texts(request)
        return await _all(request, pool, error.status, typed=typed, faults=forms.faults(error))
    made = await service.create(pool, caller_of(request), NewList(asked.name, asked.description))
    return go(f"/dashboard/lists/{made.id}", said="made")


@get("/lists/{id:str}", opt=needs())
async def show(request: AnyRequest, id: str, pool: Pool) -> Response[str]:
    return await _one(request, pool, id)


async def _one(request: AnyRequest, pool: Pool, id: str, status: int = 200, **values: Any) -> Response[str]:
    account_id = signed_in(request).account_id
    found = await service.get(pool, account_id, id)
    members, cursor = await service.members(pool, account_id, id, request.query_params.get("cursor"), ON_A_PAGE)
    active = connections.active_of(await connections.all_of(pool, account_id))
    shown = {
        "list": found,
        "members": members,
        "cursor": cursor,
        "crm": active,
        "cost": push_cost(active.crm, found.members) if active else "",
        "said": _said(request),
        "imported": None,
        "notes": {},
        "written": {},
        "typed": {"name": found.name, "description": found.description or ""},
        "faults": {},
        "fault": "",
        "importing": False,
        "on_conflict": "fill_empty",
        "changed": False,
        "version_of": service.version_of,
    }
    return page(request, "list.html", status, **{**shown, **values})


@post("/lists/{id:str}/import", opt=needs(), status_code=200)
async def import_people(request: AnyRequest, id: str, pool: Pool) -> Response[str]:
    """Puts the people of a CSV file on the list, and says which rows it refused and why."""
    try:
        file = await forms.uploaded(request, "file")
        if not file:
            raise invalid("", "Choose a CSV file first.")
        imported = await importing.import_csv(pool, caller_of(request), id, file)
    except ApiError as error:
        if error.type == "not_found":
            raise
        return await _one(request, pool, id, error.status, importing=True, fault=plain(error.message))
    return await _one(request, pool, id, importing=True, imported=imported)


@get("/lists/{id:str}/export.csv", opt=needs())
async def export(request: AnyRequest, id: str, pool: Pool) -> Stream:
    account_id = signed_in(request).account_id
    await service.get(pool, account_id, id)
    headers = {"content-disposition": f'attachment; filename="{id}.csv"', "cache-control": "no-store"}
    return Stream(table(service.all_members(pool, account_id, id)), media_type="text/csv", headers=headers)


@post("/lists/{id:str}/members/{member_id:str}/note", opt=needs(), status_code=200)
async def annotate(request: AnyRequest, id: str, member_id: str, pool: Pool) -> Response[str] | Redirect:
    try:
        asked = await forms.read(request, Noted)
        await service.annotate(pool, caller_of(request), id, member_id, asked.note, asked.version)
    except ApiError as error:
        if error.type == "not_found":
            return await _one(request, pool, id, error.status, written=await forms.written(request), fault=GONE)
        notes = {member_id: (await forms.texts(request)).get("note", "")}
        return await _one(request, pool, id, error.status, notes=notes, fault=error.message)
    except service.Changed:
        notes = {member_id: (await forms.texts(request)).get("note", "")}
        return await _one(request, pool, id, 409, notes=notes, fault=CHANGED, changed=True)
    return go(f"/dashboard/lists/{id}", said="noted")


@post("/lists/{id:str}", opt=needs(), status_code=200)
async def change(request: AnyRequest, id: str, pool: Pool) -> Response[str] | Redirect:
    try:
        asked = await forms.read(request, Renamed)
        changed = ChangedList(asked.name, asked.description)
        await service.change(pool, caller_of(request), id, changed, asked.version)
    except ApiError as error:
        typed = await forms.texts(request)
        return await _one(request, pool, id, error.status, typed=typed, faults=forms.faults(error))
    except service.Changed:
        return await _one(request, pool, id, 409, typed=await forms.texts(request), fault=CHANGED, changed=True)
    return go(f"/dashboard/lists/{id}", said="saved")


@post("/lists/{id:str}/delete", opt=needs(), status_code=200)
async def delete(request: AnyRequest, id: str, pool: Pool) -> Redirect:
    await service.delete(pool, caller_of(request), id)
    return go("/dashboard/lists", said="deleted")


@post("/lists/{id:str}/members/{member_id:str}/remove", opt=needs(), status_code=200)
async def remove(request: AnyRequest, id: str, member_id: str, pool: Pool) -> Redirect:
    await service.remove(pool, caller_of(request), id, member_id)
    return go(f"/dashboard/lists/{id}", said="removed")


@post("/lists/{id:str}/push", opt=needs(), status_code=200)
async def push(request: AnyRequest, id: str, pool: Pool) -> Response[str] | Redirect:
    """Writes everybody on the list to the CRM that the page named, and to no other."""
    try:
        asked = await forms.read(request, Pushing)
        options = Push(on_conflict=asked.on_conflict, expected_crm=asked.expected_crm)
        job = await service.push(pool, caller_of(request), id, options)
    except ApiError as error:
        chosen = (await forms.texts(request)).get("on_conflict", "")
        return await _one(request, pool, id, error.status, on_conflict=chosen, fault=plain(error.message))
    return go(f"/dashboard/jobs/{job.id}")


def push_cost(crm: str, people: int) -> str:
    """What a push asks of the CRM, and how long that takes at its usual quota."""
    pace = registry.load()[crm].pace
    if pace is None:
        return "It asks nothing of another service."
    requests, time = math.ceil(people * pace.requests_a_contact), duration(people / pace.contacts_a_second)
    return f"About {requests:,} requests to the CRM, {time} at its usual quota."


async def _all(request: AnyRequest, pool: Pool, status: int = 200, **values: Any) -> Response[str]:
    cursor = request.query_params.get("cursor")
    known, after = await service.page(pool, signed_in(request).account_id, cursor, ON_A_PAGE)
    return page(
        request,
        "lists.html",
        status,
        **{"typed": {}, "faults": {}, "said": _said(request), "lists": known, "cursor": after, **values},
    )


def _said(request: AnyRequest) -> str:
    return SAID.get(request.query_params.get("said", ""), "")


handlers = (show_all, create, show, export, import_people, change, delete, annotate, remove, push)
