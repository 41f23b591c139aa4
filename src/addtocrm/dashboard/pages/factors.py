"""Setting up the second step: an authenticator app, passkeys, recovery codes."""

import asyncio
import io
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect
from markupsafe import Markup

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.dashboard import forms
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import HEADERS, go, page
from addtocrm.dashboard.pages.second_step import site_of
from addtocrm.dashboard.visitor import AnyRequest, address_of, caller_of, signed_in, visitor_of
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.audit.model import Action
from addtocrm.tenants.factors import passkeys, service

SECURITY = "/dashboard/security"


class Code(msgspec.Struct, frozen=True):
    code: str = ""


class NewPasskey(msgspec.Struct, frozen=True):
    """`credential` is what the browser gave, as JSON."""

    credential: str = ""
    name: str = ""


@post("/security/app", opt=needs(recent=True), status_code=200)
async def begin_app(request: AnyRequest, pool: Pool) -> Response[str]:
    """The secret is on this page, and on no other."""
    _check_password(request)
    secret = await service.begin_app(pool, request.app.state.settings.data_dir, signed_in(request).member_id)
    return await _app(request, secret)


@post("/security/app/confirm", opt=needs(recent=True), status_code=200)
async def confirm_app(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    asked = await forms.read(request, Code)
    signed, data_dir = signed_in(request), request.app.state.settings.data_dir
    secret = await service.begun_app(pool, data_dir, signed.member_id)
    if secret is None:
        return go(SECURITY)
    try:
        codes = await service.confirm_app(pool, data_dir, signed.member_id, asked.code)
    except ApiError as error:
        return await _app(request, secret, error.status, error.message)
    await _note(request, pool, "authenticator_app.added")
    return await _added(request, pool, codes, "app-added")


@post("/security/app/remove", opt=needs(recent=True), status_code=200)
async def remove_app(request: AnyRequest, pool: Pool) -> Redirect:
    await service.remove_app(pool, signed_in(request).member_id)
    await _note(request, pool, "authenticator_app.removed")
    return go(SECURITY, said="app-removed")


@post("/security/codes", opt=needs(recent=True), status_code=200)
async def new_codes(request: AnyRequest, pool: Pool) -> Response[str]:
    codes = await service.new_codes(pool, signed_in(request).member_id)
    return await _codes(request, pool, codes)


@get("/security/passkeys/new", opt=needs(recent=True), sync_to_thread=False)
def ask_passkey(request: AnyRequest) -> Response[str]:
    _check_password(request)
    return page(request, "passkey_new.html", site=site_of(request), name="", fault="")


@post("/security/passkeys/options", opt=needs(recent=True), status_code=200)
async def options(request: AnyRequest, pool: Pool) -> Response[str]:
    """What the script asks the browser for."""
    _check_password(request)
    signed, secret = signed_in(request), visitor_of(request).secret
    asked = await passkeys.options_to_make(pool, site_of(request), secret, signed.member_id, signed.email)
    return Response(asked, media_type="application/json", headers=HEADERS)


@post("/security/passkeys", opt=needs(recent=True), status_code=200)
async def add_passkey(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    _check_password(request)
    asked = await forms.read(request, NewPasskey)
    site, secret = site_of(request), visitor_of(request).secret
    try:
        codes = await passkeys.add(pool, site, secret, signed_in(request).member_id, asked.credential, asked.name)
    except ApiError as error:
        fault = forms.faults(error).get("name") or error.message
        return page(request, "passkey_new.html", error.status, site=site, name=asked.name, fault=fault)
    await _note(request, pool, "passkey.added", name=asked.name)
    return await _added(request, pool, codes, "passkey-added")


@post("/security/passkeys/{id:str}/remove", opt=needs(recent=True), status_code=200)
async def remove_passkey(request: AnyRequest, id: str, pool: Pool) -> Redirect:
    name = await passkeys.remove(pool, signed_in(request).member_id, id)
    await _note(request, pool, "passkey.removed", name=name)
    return go(SECURITY, said="passkey-removed")


def _check_password(request: AnyRequest) -> None:
    """Who has a second step has a first one."""
    if not signed_in(request).has_password:
        raise invalid("", "Choose a password first.")


async def _app(request: AnyRequest, secret: str, status: int = 200, fault: str = "") -> Response[str]:
    picture = await asyncio.to_thread(_drawn, service.address_of_app(secret, signed_in(request).email))
    spaced = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return page(request, "app_new.html", status, picture=picture, secret=spaced, fault=fault)


def _drawn(text: str) -> Markup:
    """A QR code as SVG. What draws it is loaded when it is needed, which would lengthen every start."""
    import segno

    picture = io.BytesIO()
    options: dict[str, Any] = {"xmldecl": False, "svgns": False, "scale": 5, "border": 3, "light": "#fff"}
    segno.make(text).save(picture, kind="svg", title="QR code", **options)
    return Markup(picture.getvalue().decode())  # noqa: S704 (our own, its text escaped)


async def _added(request: AnyRequest, pool: Pool, codes: list[str], said: str) -> Response[str] | Redirect:
    return await _codes(request, pool, codes) if codes else go(SECURITY, said=said)


async def _codes(request: AnyRequest, pool: Pool, codes: list[str]) -> Response[str]:
    """Recovery codes are on this page, and on no other."""
    await _note(request, pool, "recovery_codes.made")
    return page(request, "codes.html", codes=codes)


async def _note(request: AnyRequest, pool: Pool, action: Action, **detail: Any) -> None:
    caller = caller_of(request)
    await audit.note(pool, caller.account_id, caller.actor, action, address_of(request), **detail)


handlers = (begin_app, confirm_app, remove_app, new_codes, ask_passkey, options, add_passkey, remove_passkey)
