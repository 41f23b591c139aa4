"""How somebody signs in, and where they are signed in."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.dashboard import forms
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, address_of, caller_of, signed_in
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.factors import passkeys
from addtocrm.tenants.factors import service as factors
from addtocrm.tenants.members import service as members
from addtocrm.tenants.sessions import service as sessions

SAID = {
    "changed": "Your password is changed. You are signed out everywhere else.",
    "ended": "Signed out there.",
    "ended-others": "Signed out everywhere else.",
    "app-added": "The authenticator app is on.",
    "app-removed": "The authenticator app is off.",
    "passkey-added": "The passkey is added.",
    "passkey-removed": "The passkey is removed. Delete it on your device as well.",
    "shortcuts": "Saved.",
}


class NewPassword(msgspec.Struct, frozen=True):
    password: str = ""


class Shortcuts(msgspec.Struct, frozen=True):
    on: bool = False


@get("/security", opt=needs())
async def show(request: AnyRequest, pool: Pool) -> Response[str]:
    return await _page(request, pool)


@get("/security/password", opt=needs(recent=True), sync_to_thread=False)
def ask(request: AnyRequest) -> Response[str]:
    return page(request, "password.html", faults={})


@post("/security/password", opt=needs(recent=True), status_code=200)
async def change(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    """Whoever is signed in elsewhere as this member is signed out."""
    signed = signed_in(request)
    asked = await forms.read(request, NewPassword)
    try:
        await members.set_password(pool, signed.member_id, asked.password, but=signed.session_id)
    except ApiError as error:
        return page(request, "password.html", error.status, faults=forms.faults(error))
    await sessions.confirm(pool, signed.session_id)
    await _note(request, pool, "password.changed")
    return go("/dashboard/security", said="changed")


@post("/security/sessions/{id:str}/end", opt=needs(), status_code=200)
async def end(request: AnyRequest, id: str, pool: Pool) -> Redirect:
    if not await sessions.end(pool, signed_in(request).member_id, id):
        raise ApiError("not_found", "There is no such session.")
    await _note(request, pool, "session.ended")
    return go("/dashboard/security", said="ended")


@post("/security/sessions/end-others", opt=needs(), status_code=200)
async def end_others(request: AnyRequest, pool: Pool) -> Redirect:
    signed = signed_in(request)
    await sessions.end_others(pool, signed.member_id, signed.session_id)
    await _note(request, pool, "session.ended")
    return go("/dashboard/security", said="ended-others")


@post("/security/shortcuts", opt=needs(), status_code=200)
async def set_shortcuts(request: AnyRequest, pool: Pool) -> Redirect:
    asked = await forms.read(request, Shortcuts)
    await members.set_shortcuts(pool, signed_in(request).member_id, asked.on)
    return go("/dashboard/security", said="shortcuts")


async def _note(request: AnyRequest, pool: Pool, action: Any) -> None:
    caller = caller_of(request)
    await audit.note(pool, caller.account_id, caller.actor, action, address_of(request))


async def _page(request: AnyRequest, pool: Pool) -> Response[str]:
    member_id = signed_in(request).member_id
    return page(
        request,
        "security.html",
        sessions=await sessions.of_member(pool, member_id),
        known=await factors.of_member(pool, member_id),
        site=passkeys.site(request.app.state.settings.base_url),
        said=SAID.get(request.query_params.get("said", ""), ""),
    )


handlers = (show, ask, change, end, end_others, set_shortcuts)
