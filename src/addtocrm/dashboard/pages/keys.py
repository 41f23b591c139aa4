"""API keys."""

import hmac
import secrets
from datetime import UTC, datetime, timedelta
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
from addtocrm.dashboard.visitor import AnyRequest, address_of, caller_of, signed_in, visitor_of
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.keys import service
from addtocrm.tenants.requests import service as requests

ALLOWS: dict[Scope, str] = {
    "enrich": "Enrich people, look up companies, search, find and verify emails. These cost credits.",
    "write": "Write contacts, companies, notes and tasks to the CRM, and change its field mapping.",
    "lists": "Read and change lists. Pushing one to the CRM needs write as well.",
    "read": "Read the CRM, events and usage. Nothing is changed, and nothing costs.",
}


class NewKey(msgspec.Struct, frozen=True):
    """`form` is that of the page: the same one sent twice, as by a double click, makes one key."""

    name: str = ""
    scopes: list[str] = []
    expires: str = ""
    form: str = ""


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
        made = await service.create(
            pool,
            signed.account_email,
            asked.scopes,
            asked.name[:200],
            expires=asked.expires,
            seed=hmac.digest(visitor_of(request).secret.encode(), msgspec.json.encode(asked), "sha256"),
            actor=actor,
        )
    except ApiError as error:
        again = {"name": asked.name, "chosen": asked.scopes, "expires": asked.expires}
        return _form(request, error.status, **again, faults=forms.faults(error))
    if not made.repeated:
        await audit.note(pool, signed.account_id, actor, "key.created", address_of(request), id=made.id, name=made.name)
    return page(request, "key_made.html", made=made)


@get("/keys/{id:str}/revoke", opt=needs("admin", recent=True))
async def ask_to_revoke(request: AnyRequest, id: str, pool: Pool) -> Response[str]:
    account_id = signed_in(request).account_id
    key = await service.get(pool, account_id, id)
    used = (await requests.by_status(pool, account_id)).get(id, {})
    return page(request, "key_revoke.html", key=key, used=sum(used.values()))


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
        **{"name": "", "chosen": list(SCOPES), "expires": "", "faults": {}, "allows": ALLOWS, **values},
        form=secrets.token_urlsafe(24),
        tomorrow=datetime.now(UTC).date() + timedelta(days=1),
    )


async def _page(request: AnyRequest, pool: Pool) -> Response[str]:
    account_id = signed_in(request).account_id
    known = (await service.of_account(pool, account_id))[::-1]
    return page(
        request,
        "keys.html",
        keys=[key for key in known if not key.is_over],
        over=[key for key in known if key.is_over],
        used=await requests.by_status(pool, account_id),
        allows=ALLOWS,
        said=request.query_params.get("said", ""),
    )


handlers = (show, ask, create, ask_to_revoke, revoke)
