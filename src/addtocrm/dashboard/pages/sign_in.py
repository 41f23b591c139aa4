"""Signing in and out."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.dashboard import cookies, forms, guard
from addtocrm.dashboard.guard import needs, opened
from addtocrm.dashboard.limits import count_try
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, address_of, signed_in, visitor_of
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.members import service as members
from addtocrm.tenants.members.model import Member
from addtocrm.tenants.sessions import service as sessions


class Credentials(msgspec.Struct, frozen=True):
    email: str = ""
    password: str = ""
    next: str = ""


class Proof(msgspec.Struct, frozen=True):
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
        return _form(request, error.status, next=asked.next, email=asked.email, error=error.message)
    return await let_in(request, pool, member, asked.next)


@post("/sign-out", opt=needs(), status_code=200)
async def sign_out(request: AnyRequest, pool: Pool) -> Redirect:
    signed = signed_in(request)
    await sessions.end(pool, signed.member_id, signed.session_id)
    await audit.note(pool, signed.account_id, f"user:{signed.member_id}", "signed_out", address_of(request))
    response = go("/dashboard/sign-in")
    cookies.drop(request, response, cookies.SESSION)
    return response


@get("/confirm", opt=needs(), sync_to_thread=False)
def ask_again(request: AnyRequest) -> Response[str]:
    return page(request, "confirm.html", next=request.query_params.get("next", ""), error="")


@post("/confirm", opt=needs(), status_code=200)
async def confirm(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    asked = await forms.read(request, Proof)
    signed = signed_in(request)
    try:
        await count_try(request, signed.email)
        await members.prove(pool, signed.email, asked.password)
    except ApiError as error:
        return page(request, "confirm.html", error.status, next=asked.next, error=error.message)
    await sessions.confirm(pool, signed.session_id)
    return go(guard.place(asked.next))


async def let_in(request: AnyRequest, pool: Pool, member: Member, next: str = "") -> Redirect:
    """Signs a member in who has proved who they are, in a session of its own, and goes on at `next`."""
    token = await sessions.begin(pool, member.id, address_of(request), request.headers.get("user-agent", ""))
    await audit.note(pool, member.account_id, f"user:{member.id}", "signed_in", address_of(request))
    response = go(guard.place(next))
    cookies.put(request, response, cookies.SESSION, token, cookies.SESSION_SECONDS)
    return response


def _form(request: AnyRequest, status: int = 200, **values: Any) -> Response[str]:
    open_signup: bool = request.app.state.settings.open_signup
    return page(
        request, "sign_in.html", status, **{"email": "", "error": "", "first": False, "open": open_signup, **values}
    )


handlers = (show, sign_in, sign_out, ask_again, confirm)
