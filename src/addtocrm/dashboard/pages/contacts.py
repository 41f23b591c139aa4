"""The contacts and companies of the built-in CRM; of another one, where they are."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect
from msgspec import Meta

from addtocrm.core.errors import ApiError
from addtocrm.crm import book, connections, service
from addtocrm.crm.kinds import Among
from addtocrm.crm.model import NoteText, NoteWrite
from addtocrm.crm.setup import Setup
from addtocrm.dashboard import forms
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, caller_of, signed_in
from addtocrm.dashboard.words import CHANGED, about, plain

ON_A_PAGE = 50
SAID = {"saved": "Saved.", "noted": "The note is saved."}
PATH: dict[Among, str] = {"contact": "/dashboard/contacts", "company": "/dashboard/companies"}


class Noted(msgspec.Struct, frozen=True):
    note: Annotated[NoteText, Meta(pattern=r"\S")]


@get("/contacts", opt=needs())
async def show_contacts(request: AnyRequest, crm: Setup) -> Response[str]:
    return await _all(request, crm, "contact")


@get("/companies", opt=needs())
async def show_companies(request: AnyRequest, crm: Setup) -> Response[str]:
    return await _all(request, crm, "company")


@get("/contacts/{id:str}", opt=needs())
async def show_contact(request: AnyRequest, id: str, crm: Setup) -> Response[str]:
    return await _one(request, crm, "contact", id)


@get("/companies/{id:str}", opt=needs())
async def show_company(request: AnyRequest, id: str, crm: Setup) -> Response[str]:
    return await _one(request, crm, "company", id)


@post("/contacts/{id:str}", opt=needs(), status_code=200)
async def edit_contact(request: AnyRequest, id: str, crm: Setup) -> Response[str] | Redirect:
    return await _edit(request, crm, "contact", id)


@post("/companies/{id:str}", opt=needs(), status_code=200)
async def edit_company(request: AnyRequest, id: str, crm: Setup) -> Response[str] | Redirect:
    return await _edit(request, crm, "company", id)


@post("/contacts/{id:str}/notes", opt=needs(), status_code=200)
async def add_note(request: AnyRequest, id: str, crm: Setup) -> Response[str] | Redirect:
    await book.one(crm.pool, signed_in(request).account_id, "contact", id)
    try:
        text = (await forms.read(request, Noted)).note.strip()
        await service.add_note(crm, caller_of(request), NoteWrite(contact_id=id, text=text, expected_crm="builtin"))
    except ApiError as error:
        typed = (await forms.texts(request)).get("note", "")
        return await _one(request, crm, "contact", id, error.status, note=typed, fault=plain(error.message))
    return go(f"/dashboard/contacts/{id}", said="noted")


async def _all(request: AnyRequest, crm: Setup, kind: Among) -> Response[str]:
    account_id = signed_in(request).account_id
    known = await connections.all_of(crm.pool, account_id)
    active = connections.active_of(known)
    find = request.query_params.get("find", "").strip()
    entries, cursor = [], None
    if active and active.crm == "builtin":
        after = request.query_params.get("cursor")
        entries, cursor = await book.page(crm.pool, account_id, kind, find, after, ON_A_PAGE)
    return page(
        request,
        "contacts.html",
        kind=kind,
        crm=active,
        builtin=next((one for one in known if one.crm == "builtin"), None),
        find=find,
        entries=entries,
        cursor=cursor,
    )


async def _edit(request: AnyRequest, crm: Setup, kind: Among, id: str) -> Response[str] | Redirect:
    form = await forms.texts(request)
    try:
        await book.edit(crm, caller_of(request), kind, id, form.get("version", ""), form)
    except book.Changed:
        return await _one(request, crm, kind, id, 409, form=form, fault=CHANGED, changed=True)
    except ApiError as error:
        if error.type == "not_found":
            raise
        faults = {one.path.lstrip("."): about(one.path.lstrip("."), one.message) for one in error.details}
        fault = "" if faults.keys() & book.EDITED[kind].keys() else plain(error.message)
        return await _one(request, crm, kind, id, error.status, form=form, faults=faults, fault=fault)
    return go(f"{PATH[kind]}/{id}", said="saved")


async def _one(
    request: AnyRequest, crm: Setup, kind: Among, id: str, status: int = 200, **values: Any
) -> Response[str]:
    account_id = signed_in(request).account_id
    entry = await book.one(crm.pool, account_id, kind, id)
    shown: dict[str, Any] = {
        "kind": kind,
        "here": f"{PATH[kind]}/{id}",
        "entry": entry,
        "edited": book.EDITED[kind],
        "crm": connections.active_of(await connections.all_of(crm.pool, account_id)),
        "form": None,
        "fault": "",
        "faults": {},
        "changed": False,
        "note": "",
        "said": SAID.get(request.query_params.get("said", ""), ""),
    }
    if kind == "contact":
        shown |= {"notes": await book.notes(crm.pool, id), "tasks": await book.tasks(crm.pool, id)}
    else:
        after = request.query_params.get("cursor")
        shown["contacts"], shown["cursor"] = await book.contacts_of(crm.pool, account_id, id, after, ON_A_PAGE)
    return page(request, f"{kind}.html", status, **{**shown, **values})


handlers = (
    show_contacts,
    show_companies,
    show_contact,
    show_company,
    edit_contact,
    edit_company,
    add_note,
)
