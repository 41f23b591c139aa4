"""Proving again who is signed in, before what matters."""

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.dashboard import forms, guard
from addtocrm.dashboard.entering import note_failure
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.limits import count_passkey, count_try
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.pages.second_step import WithPasskey, site_of
from addtocrm.dashboard.visitor import AnyRequest, signed_in, visitor_of
from addtocrm.tenants.factors import passkeys
from addtocrm.tenants.factors import service as factors
from addtocrm.tenants.members import service as members
from addtocrm.tenants.sessions import service as sessions

WRONG = "The password or the code is wrong, or the code was used before."


class Proof(msgspec.Struct, frozen=True):
    password: str = ""
    code: str = ""
    next: str = ""


@get("/confirm", opt=needs())
async def ask(request: AnyRequest, pool: Pool) -> Response[str]:
    return await _page(request, pool, request.query_params.get("next", ""))


@post("/confirm", opt=needs(), status_code=200)
async def confirm(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    asked = await forms.read(request, Proof)
    signed = signed_in(request)
    try:
        await count_try(request, signed.email)
        await members.prove(pool, signed.email, asked.password)
        if signed.two_steps:
            await count_try(request, signed.member_id, "code")
            await factors.prove(pool, request.app.state.settings.data_dir, signed.member_id, asked.code)
    except ApiError as error:
        text = error.message
        if error.type == "invalid_auth":
            note_failure(request, pool, signed.email, "confirmation")
            text = WRONG if signed.two_steps else "The password is wrong."
        return await _page(request, pool, asked.next, error.status, text, error.retry_after_seconds)
    await sessions.confirm(pool, signed.session_id)
    return go(guard.place(asked.next))


@post("/confirm/passkey", opt=needs(), status_code=200)
async def confirm_by_passkey(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    asked = await forms.read(request, WithPasskey)
    signed, visitor = signed_in(request), visitor_of(request)
    await count_passkey(request, "answer")
    try:
        if await passkeys.prove(pool, site_of(request), visitor.secret, asked.credential) != signed.member_id:
            raise ApiError("invalid_auth", passkeys.REFUSED)
    except ApiError as error:
        note_failure(request, pool, signed.email, "passkey")
        return await _page(request, pool, asked.next, error.status, error.message)
    await sessions.confirm(pool, signed.session_id)
    return go(guard.place(asked.next))


async def _page(
    request: AnyRequest, pool: Pool, next: str, status: int = 200, error: str = "", wait: int | None = None
) -> Response[str]:
    found = await factors.of_member(pool, signed_in(request).member_id)
    site = passkeys.site(request.app.state.settings.base_url) if found.passkeys else None
    return page(request, "confirm.html", status, wait, next=next, error=error, site=site)


handlers = (ask, confirm, confirm_by_passkey)
