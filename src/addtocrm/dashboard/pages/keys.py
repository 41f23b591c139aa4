"""API keys."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.caller import SCOPES, Scope
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.dashboard import forms
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, address_of, caller_of, signed_in
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.keys import service

ALLOWS: dict[Scope, str] = {
    "enrich": "Enrich people, look up companies, search, find and verify emails. These cost credits.",
    "write": "Write contacts, companies, notes and tasks to the CRM, and change its field mapping.",
    "lists": "Read and change lists. Pushing one to the CRM needs write as well.",
    "read": "Read the CRM, events and usage. Nothing is changed, and nothing costs.",
}


class NewKey(msgspec.Struct, frozen=True):
    name: str = ""
    scopes: list[str] = []


@get("/keys", opt=needs())
async def show(request: AnyRequest, pool: Pool) -> Response[str]:
    return await _page(request, pool)


@get("/keys/new", opt=needs("admin", recent=True))
async def ask(request: AnyRequest) -> Response[str]:
    return _form(request)


@post("/keys/new", opt=needs("admin", recent=True), status_code=200)
async def create(request: AnyRequest, pool: Pool) -> Response[str]:
    """The new key's token is on this page and on no other."""
    signed = signed_in(request)
    asked = await forms.read(request, NewKey)
    actor = caller_of(request).actor
    try:
        made = await service.create(pool, signed.account_email, asked.scopes, asked.name[:200], actor=actor)
    except ApiError as error:
        return _form(request, error.status, name=asked.name, chosen=asked.scopes, faults=forms.faults(error))
    await audit.note(pool, signed.account_id, actor, "key.created", address_of(request), id=made.id, name=made.name)
    return page(request, "key_made.html", made=made)


@post("/keys/{id:str}/revoke", opt=needs("admin", recent=True), status_code=200)
async def revoke(request: AnyRequest, id: str, pool: Pool) -> Redirect:
    signed = signed_in(request)
    actor = caller_of(request).actor
    await service.revoke(pool, id, actor, account_id=signed.account_id)
    await audit.note(pool, signed.account_id, actor, "key.revoked", address_of(request), id=id)
    return go("/dashboard/keys", said="revoked")


def _form(request: AnyRequest, status: int = 200, **values: Any) -> Response[str]:
    return page(
        request,
        "key_new.html",
        status,
        **{"name": "", "chosen": list(SCOPES), "faults": {}, "allows": ALLOWS, **values},
    )


async def _page(request: AnyRequest, pool: Pool) -> Response[str]:
    known = await service.of_account(pool, signed_in(request).account_id)
    return page(request, "keys.html", keys=known[::-1], said=request.query_params.get("said", ""))


handlers = (show, ask, create, revoke)
