"""The CRM that everything is written to."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.errors import ApiError
from addtocrm.crm import connections, registry
from addtocrm.crm.setup import Setup
from addtocrm.dashboard import forms
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, address_of, caller_of, signed_in
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.audit.model import Action

SAID = {
    "connected": "Connected. From now on everything is written there.",
    "switched": "Switched. From now on everything is written there.",
    "disconnected": "Disconnected. What is in the CRM stays there.",
    "works": "The connection works.",
}


class Connecting(msgspec.Struct, frozen=True):
    crm: str
    token: str | None = None


class Chosen(msgspec.Struct, frozen=True):
    crm: str


@get("/connection", opt=needs())
async def show(request: AnyRequest, crm: Setup) -> Response[str]:
    return await _page(request, crm)


@post("/connection/connect", opt=needs("admin", recent=True), status_code=200)
async def connect(request: AnyRequest, crm: Setup) -> Response[str] | Redirect:
    """By a token, or by none where the CRM needs none; else a page with the way to the CRM's own sign-in."""
    asked = await forms.read(request, Connecting)
    caller = caller_of(request)
    try:
        if asked.token or connections.definition_named(asked.crm).oauth is None:
            await connections.connect(
                crm, caller.account_id, asked.crm, token=asked.token, actor=caller.actor, request_id=caller.request_id
            )
            await _note(request, crm, "crm.connected", asked.crm)
            return go("/dashboard/connection", said="connected")
        begun = await connections.begin(
            crm, caller.account_id, asked.crm, actor=caller.actor, request_id=caller.request_id
        )
    except ApiError as error:
        return await _page(request, crm, error.status, fault=error.message, chosen=asked.crm)
    label = connections.definition_named(asked.crm).label
    return page(request, "authorize.html", address=begun.authorize_url, label=label)


@post("/connection/switch", opt=needs("admin", recent=True), status_code=200)
async def switch(request: AnyRequest, crm: Setup) -> Redirect:
    asked = await forms.read(request, Chosen)
    caller = caller_of(request)
    await connections.switch(crm.pool, caller.account_id, asked.crm, actor=caller.actor, request_id=caller.request_id)
    await _note(request, crm, "crm.switched", asked.crm)
    return go("/dashboard/connection", said="switched")


@post("/connection/disconnect", opt=needs("admin", recent=True), status_code=200)
async def disconnect(request: AnyRequest, crm: Setup) -> Redirect:
    asked = await forms.read(request, Chosen)
    caller = caller_of(request)
    await connections.disconnect(crm, caller.account_id, asked.crm, actor=caller.actor, request_id=caller.request_id)
    await _note(request, crm, "crm.disconnected", asked.crm)
    return go("/dashboard/connection", said="disconnected")


@post("/connection/test", opt=needs(), status_code=200)
async def test(request: AnyRequest, crm: Setup) -> Response[str] | Redirect:
    trouble = [text for _, text in await connections.check(crm, signed_in(request).account_id) if text]
    return await _page(request, crm, fault=" ".join(trouble)) if trouble else go("/dashboard/connection", said="works")


async def _note(request: AnyRequest, crm: Setup, action: Action, name: str) -> None:
    caller = caller_of(request)
    await audit.note(crm.pool, caller.account_id, caller.actor, action, address_of(request), crm=name)


async def _page(request: AnyRequest, crm: Setup, status: int = 200, **values: Any) -> Response[str]:
    known = await connections.all_of(crm.pool, signed_in(request).account_id)
    said = SAID.get(request.query_params.get("said", ""), "")
    shown = {"fault": "", "chosen": "", "said": said, "known": known, "crms": list(registry.load().values())}
    return page(request, "connection.html", status, **{**shown, **values})


handlers = (show, connect, switch, disconnect, test)
