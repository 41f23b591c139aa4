"""The CRM that everything is written to: its state, a test of it, its defaults, and going to another one."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.crm import connections, defaults, oauth, registry
from addtocrm.crm.contract import Definition
from addtocrm.crm.defaults import Defaults
from addtocrm.crm.failures import Rejected
from addtocrm.crm.setup import Setup
from addtocrm.dashboard import forms
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, address_of, caller_of, signed_in
from addtocrm.dashboard.words import plain
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.audit.model import Action
from addtocrm.tenants.keys import service as keys

SAID = {
    "connected": "Connected. From now on everything is written there.",
    "switched": "Switched. From now on everything is written there.",
    "disconnected": "Disconnected. What is in the CRM stays there.",
    "defaults": "Saved. This holds for what names no owner or list of its own.",
}


class Connecting(msgspec.Struct, frozen=True):
    crm: str
    token: str | None = None
    contact_object: str | None = None


class Chosen(msgspec.Struct, frozen=True):
    crm: str


class NewDefaults(msgspec.Struct, frozen=True):
    owner: str | None = None
    list: str | None = None


@get("/connection", opt=needs())
async def show(request: AnyRequest, crm: Setup) -> Response[str]:
    return await _page(request, crm)


@get("/connection/new/{name:str}", opt=needs("admin", recent=True))
async def new(request: AnyRequest, name: str, crm: Setup) -> Response[str]:
    return await _connecting(request, crm, name)


@post("/connection/connect", opt=needs("admin", recent=True), status_code=200)
async def connect(request: AnyRequest, crm: Setup) -> Response[str] | Redirect:
    """By a token, or by none where the CRM needs none; else a page with the way to the CRM's own sign-in."""
    asked = await forms.read(request, Connecting)
    caller, session_id = caller_of(request), signed_in(request).session_id
    options = {"contact_object": asked.contact_object} if asked.contact_object else {}
    told: dict[str, Any] = {"options": options, "actor": caller.actor, "request_id": caller.request_id}
    try:
        definition = connections.definition_named(asked.crm)
        if asked.token or definition.oauth is None:
            await connections.connect(crm, caller.account_id, asked.crm, token=asked.token, **told)
            await _note(request, crm, "crm.connected", asked.crm)
            return go("/dashboard/connection", said="connected")
        begun = await connections.begin(crm, caller.account_id, asked.crm, session_id=session_id, **told)
    except ApiError as error:
        return await _connecting(request, crm, asked.crm, error.status, plain(error.message), options)
    return page(request, "authorize.html", address=begun.authorize_url, label=definition.label)


@get("/connection/switch/{id:str}", opt=needs("admin", recent=True))
async def ask_switch(request: AnyRequest, id: str, crm: Setup) -> Response[str]:
    return await _asked(request, crm, id, "switch.html")


@post("/connection/switch", opt=needs("admin", recent=True), status_code=200)
async def switch(request: AnyRequest, crm: Setup) -> Redirect:
    asked = await forms.read(request, Chosen)
    caller = caller_of(request)
    now = await connections.switch(
        crm.pool, caller.account_id, asked.crm, actor=caller.actor, request_id=caller.request_id
    )
    await _note(request, crm, "crm.switched", now.crm)
    return go("/dashboard/connection", said="switched")


@get("/connection/disconnect/{id:str}", opt=needs("admin", recent=True))
async def ask_disconnect(request: AnyRequest, id: str, crm: Setup) -> Response[str]:
    return await _asked(request, crm, id, "disconnect.html")


@post("/connection/disconnect", opt=needs("admin", recent=True), status_code=200)
async def disconnect(request: AnyRequest, crm: Setup) -> Redirect:
    asked = await forms.read(request, Chosen)
    caller = caller_of(request)
    ended = await connections.disconnect(
        crm, caller.account_id, asked.crm, actor=caller.actor, request_id=caller.request_id
    )
    await _note(request, crm, "crm.disconnected", ended.crm)
    return go("/dashboard/connection", said="disconnected")


@post("/connection/test", opt=needs(), status_code=200)
async def test(request: AnyRequest, crm: Setup) -> Response[str]:
    """Asks the active CRM, and says what it answered or what is wrong."""
    try:
        tested = await connections.test(crm, signed_in(request).account_id)
    except ApiError as error:
        return await _page(request, crm, fault=f"The test failed. {plain(error.message)}")
    return await _page(request, crm, tested=tested)


@get("/connection/defaults", opt=needs("admin", recent=True))
async def show_defaults(request: AnyRequest, crm: Setup) -> Response[str]:
    return await _defaults(request, crm)


@post("/connection/defaults", opt=needs("admin", recent=True), status_code=200)
async def save_defaults(request: AnyRequest, crm: Setup) -> Response[str] | Redirect:
    asked = await forms.read(request, NewDefaults)
    try:
        await defaults.put(crm, signed_in(request).account_id, asked.owner, asked.list)
    except ApiError as error:
        return await _defaults(request, crm, error.status, plain(error.message), asked)
    return go("/dashboard/connection", said="defaults")


async def _defaults(
    request: AnyRequest, crm: Setup, status: int = 200, fault: str = "", chosen: NewDefaults | None = None
) -> Response[str]:
    account_id = signed_in(request).account_id
    active = await connections.info(crm.pool, account_id)
    try:
        there = await defaults.get(crm, account_id)
    except ApiError as error:
        there, status, fault = Defaults(None, None, [], []), error.status, plain(error.message)
    return page(request, "defaults.html", status, crm=active, defaults=there, chosen=chosen or there, fault=fault)


async def _asked(request: AnyRequest, crm: Setup, id: str, template: str) -> Response[str]:
    """The question before a connection is changed."""
    known = await connections.all_of(crm.pool, signed_in(request).account_id)
    one = next((one for one in known if one.id == id), None)
    if one is None:
        raise ApiError("not_found", "There is no such connection.")
    return page(
        request,
        template,
        one=one,
        active=connections.active_of(known),
        writers=await _writers(crm.pool, signed_in(request).account_id),
    )


async def _connecting(
    request: AnyRequest,
    crm: Setup,
    name: str,
    status: int = 200,
    fault: str = "",
    chosen: Mapping[str, str] = {},
) -> Response[str]:
    definition = registry.load().get(name)
    if definition is None:
        raise ApiError("not_found", "There is no such CRM.")
    known = await connections.all_of(crm.pool, signed_in(request).account_id)
    shown = {
        "definition": definition,
        "by_oauth": _has_app(crm, definition),
        "kept": [one for one in known if one.crm == name],
        "active": connections.active_of(known),
        "writers": await _writers(crm.pool, signed_in(request).account_id),
        "fault": fault,
        "chosen": chosen,
    }
    return page(request, "connect.html", status, **shown)


def _has_app(crm: Setup, definition: Definition) -> bool:
    """Whether the deployment can send people to the CRM's own sign-in."""
    try:
        return definition.oauth is not None and bool(oauth.app(crm.settings, definition))
    except Rejected:
        return False


async def _writers(pool: Pool, account_id: str) -> list[str]:
    """The names of the API keys that wrote to the CRM lately, or may have."""
    return [key.name for key in await keys.in_use(pool, account_id, "write")]


async def _note(request: AnyRequest, crm: Setup, action: Action, name: str) -> None:
    caller = caller_of(request)
    await audit.note(crm.pool, caller.account_id, caller.actor, action, address_of(request), crm=name)


async def _page(request: AnyRequest, crm: Setup, status: int = 200, **values: Any) -> Response[str]:
    known = await connections.all_of(crm.pool, signed_in(request).account_id)
    active, said = connections.active_of(known), request.query_params.get("said", "")
    failure = await connections.last_failure(crm.pool, signed_in(request).session_id) if said == "failed" else ""
    crms = registry.load()
    shown = {
        "fault": plain(failure),
        "said": SAID.get(said, ""),
        "active": active,
        "definition": crms.get(active.crm) if active else None,
        "kept": [one for one in known if not one.active],
        "crms": list(crms.values()),
        "tested": None,
    }
    return page(request, "connection.html", status, **{**shown, **values})


handlers = (
    show,
    new,
    connect,
    ask_switch,
    switch,
    ask_disconnect,
    disconnect,
    test,
    show_defaults,
    save_defaults,
)
