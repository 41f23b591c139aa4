"""The second step of signing in, by a code; and a passkey, which takes both steps at once."""

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.dashboard import cookies, forms
from addtocrm.dashboard.entering import admit, note_failure
from addtocrm.dashboard.guard import opened
from addtocrm.dashboard.limits import count_passkey, count_try
from addtocrm.dashboard.page import HEADERS, go, page
from addtocrm.dashboard.visitor import AnyRequest, address_of, visitor_of
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.factors import passkeys
from addtocrm.tenants.factors import service as factors
from addtocrm.tenants.factors.model import Factors, Site
from addtocrm.tenants.members import service as members
from addtocrm.tenants.members.model import Member
from addtocrm.tenants.sessions import service as sessions

SIGN_IN = "/dashboard/sign-in"


class WithCode(msgspec.Struct, frozen=True):
    code: str = ""
    next: str = ""


class WithPasskey(msgspec.Struct, frozen=True):
    """`credential` is what the browser gave, as JSON."""

    credential: str = ""
    next: str = ""


def site_of(request: AnyRequest) -> Site:
    """Where passkeys are good. Raises ApiError where they are nowhere."""
    site = passkeys.site(request.app.state.settings.base_url)
    if site is None:
        raise ApiError("not_found", "There are no passkeys at this address.")
    return site


@get("/sign-in/second", opt=opened())
async def ask(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    member = await _half(request, pool)
    if member is None:
        return go(SIGN_IN)
    return _form(request, await factors.of_member(pool, member.id), request.query_params.get("next", ""))


@post("/sign-in/second", opt=opened(), status_code=200)
async def take(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    member = await _half(request, pool)
    if member is None:
        return go(SIGN_IN)
    asked = await forms.read(request, WithCode)
    try:
        await count_try(request, member.id, "code")
        way = await factors.prove(pool, request.app.state.settings.data_dir, member.id, asked.code)
    except ApiError as error:
        if error.type == "invalid_auth":
            note_failure(request, pool, member.email, "code")
        return _form(request, await factors.of_member(pool, member.id), asked.next, error)
    if not await sessions.end_half(pool, cookies.read(request, cookies.HALF)):
        return go(SIGN_IN)
    if way == "recovery code":
        left = (await factors.of_member(pool, member.id)).codes
        address = address_of(request)
        await audit.note(pool, member.account_id, f"user:{member.id}", "recovery_code.used", address, left=left)
    return await admit(request, pool, member, asked.next, by=way)


@post("/sign-in/passkey", opt=opened(), status_code=200)
async def take_passkey(request: AnyRequest, pool: Pool) -> Redirect:
    asked = await forms.read(request, WithPasskey)
    await count_passkey(request, "answer")
    member_id = await passkeys.prove(pool, site_of(request), visitor_of(request).secret, asked.credential)
    return await admit(request, pool, await members.get(pool, member_id), asked.next, by="passkey")


@post("/sign-in/passkey/options", opt=opened(), status_code=200)
async def options(request: AnyRequest, pool: Pool) -> Response[str]:
    """What the script asks the browser for."""
    await count_passkey(request, "challenge")
    visitor = visitor_of(request)
    asked = await passkeys.options_to_use(
        pool, site_of(request), visitor.secret, visitor.signed.member_id if visitor.signed else None
    )
    return Response(asked, media_type="application/json", headers=HEADERS)


async def _half(request: AnyRequest, pool: Pool) -> Member | None:
    """Who gave their password, and has the second step before them."""
    token = cookies.read(request, cookies.HALF)
    member_id = await sessions.half(pool, token) if token else None
    return await members.get(pool, member_id) if member_id else None


def _form(request: AnyRequest, known: Factors, next: str, error: ApiError | None = None) -> Response[str]:
    site = passkeys.site(request.app.state.settings.base_url) if known.passkeys else None
    status, text, wait = (error.status, error.message, error.retry_after_seconds) if error else (200, "", None)
    return page(request, "second_step.html", status, wait, known=known, next=next, error=text, site=site)


handlers = (ask, take, take_passkey, options)
