"""Signing in and out."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.dashboard import cookies, forms, guard
from addtocrm.dashboard.entering import let_in, note_failure
from addtocrm.dashboard.guard import needs, opened
from addtocrm.dashboard.limits import count_try
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, address_of, signed_in, visitor_of
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.factors import passkeys
from addtocrm.tenants.members import service as members
from addtocrm.tenants.sessions import service as sessions


class Credentials(msgspec.Struct, frozen=True):
    email: str = ""
    password: str = ""
    next: str = ""


@get("/sign-in", opt=opened())
async def show(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    if visitor_of(request).signed:
        return go(guard.place(request.query_params.get("next", "")))
    first = await members.nobody_can_sign_in(pool)
    return _form(request, next=request.query_params.get("next", ""), first=first)


@post("/sign-in", opt=opened(), status_code=200)
async def sign_in(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    asked = await forms.read(request, Credentials)
    try:
        await count_try(request, asked.email)
        member = await members.prove(pool, asked.email, asked.password)
    except ApiError as error:
        if error.type == "invalid_auth":
            note_failure(request, pool, asked.email, "password")
        wait, typed = error.retry_after_seconds, asked.email
        return _form(request, error.status, wait, next=asked.next, email=typed, error=error.message)
    return await let_in(request, pool, member, asked.next)


@post("/sign-out", opt=needs(), status_code=200)
async def sign_out(request: AnyRequest, pool: Pool) -> Redirect:
    signed = signed_in(request)
    await sessions.end(pool, signed.member_id, signed.session_id)
    await audit.note(pool, signed.account_id, f"user:{signed.member_id}", "signed_out", address_of(request))
    response = go("/dashboard/sign-in")
    cookies.drop(request, response, cookies.SESSION)
    return response


def _form(request: AnyRequest, status: int = 200, wait: int | None = None, **values: Any) -> Response[str]:
    settings = request.app.state.settings
    shown = {"email": "", "error": "", "first": False, "open": settings.open_signup}
    return page(request, "sign_in.html", status, wait, site=passkeys.site(settings.base_url), **{**shown, **values})


handlers = (show, sign_in, sign_out)
