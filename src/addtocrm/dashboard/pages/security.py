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
from addtocrm.tenants.members import service as members
from addtocrm.tenants.sessions import service as sessions

SAID = {"changed": "Your password is changed. You are signed out everywhere else.", "ended": "Signed out there."}


class NewPassword(msgspec.Struct, frozen=True):
    password: str = ""


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
        await members.set_password(pool, signed.member_id, asked.password)
    except ApiError as error:
        return page(request, "password.html", error.status, faults=forms.faults(error))
    await sessions.confirm(pool, signed.session_id)
    await sessions.end_others(pool, signed.member_id, signed.session_id)
    await _note(request, pool, "password.changed")
    return go("/dashboard/security", said="changed")


@post("/security/sessions/{id:str}/end", opt=needs(), status_code=200)
async def end(request: AnyRequest, id: str, pool: Pool) -> Redirect:
    if not await sessions.end(pool, signed_in(request).member_id, id):
        raise ApiError("not_found", "There is no such session.")
    await _note(request, pool, "session.ended")
    return go("/dashboard/security", said="ended")


async def _note(request: AnyRequest, pool: Pool, action: Any) -> None:
    caller = caller_of(request)
    await audit.note(pool, caller.account_id, caller.actor, action, address_of(request))


async def _page(request: AnyRequest, pool: Pool) -> Response[str]:
    known = await sessions.of_member(pool, signed_in(request).member_id)
    return page(request, "security.html", sessions=known, said=SAID.get(request.query_params.get("said", ""), ""))


handlers = (show, ask, change, end)
