"""Who may sign in for the account."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core import letters
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.core.settings import Settings
from addtocrm.dashboard import forms
from addtocrm.dashboard.background import in_background
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.pages.joining import address_for
from addtocrm.dashboard.visitor import AnyRequest, address_of, caller_of, signed_in
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.factors import service as factors
from addtocrm.tenants.members import service
from addtocrm.tenants.members.model import ROLES, Role, at_least
from addtocrm.tenants.sessions import service as sessions

ALLOWS: dict[Role, str] = {
    "owner": "Everything, also who is an owner.",
    "admin": "Everything but changing owners: API keys, the connection, members.",
    "member": "Enrich, search, verify, lists and contacts.",
}


SAID = {"reset": "The second step is reset. We have told them by email."}
AUDIT_PAGE = 50
INVITED = """{by} invites you to their AddToCRM account. Choose a password within 7 days:

{link}
"""
TAKEN = """{by} invites you to their AddToCRM account. This address has an account of its own already, so it cannot join
another one: ask them to invite you at another address.
"""
RESET = """{by} has reset the second step of your sign-in to AddToCRM: your authenticator app, passkeys and recovery
codes do not work any more, and you are signed out. Sign in with your password, and set them up again under Sign-in
and security.

If you did not ask for this, talk to {by}, and choose a new password.
"""


class Invited(msgspec.Struct, frozen=True):
    email: str = ""
    role: Role = "member"


class NewRole(msgspec.Struct, frozen=True):
    role: Role


@get("/members", opt=needs())
async def show(request: AnyRequest, pool: Pool) -> Response[str]:
    return await _page(request, pool)


@post("/members/invite", opt=needs("admin", recent=True), status_code=200)
async def invite(request: AnyRequest, pool: Pool) -> Response[str]:
    """Sends a link; without a mail server it is on this page, once. Whoever has it becomes a member."""
    asked = await forms.read(request, Invited)
    signed = signed_in(request)
    try:
        token = await service.invite(pool, signed.account_id, asked.email, asked.role, signed.member_id)
    except ApiError as error:
        if error.type == "scope_required":
            raise
        return await _page(request, pool, error.status, email=asked.email, role=asked.role, faults=forms.faults(error))
    await _note(request, pool, "member.invited", email=asked.email, role=asked.role)
    settings = request.app.state.settings
    link = address_for(settings.base_url, "invite", token)
    if settings.mail_url is None:
        return await _page(request, pool, link=link, invited=asked.email)
    in_background(_mail_invitation(pool, settings, asked.email, signed_in(request).email, link))
    return await _page(request, pool, invited=asked.email)


@post("/members/invitations/{id:str}/withdraw", opt=needs("admin", recent=True), status_code=200)
async def withdraw(request: AnyRequest, id: str, pool: Pool) -> Redirect:
    found = await service.withdraw(pool, signed_in(request).account_id, id)
    await _note(request, pool, "invitation.withdrawn", email=found.email)
    return go("/dashboard/members")


@post("/members/{id:str}/role", opt=needs("admin", recent=True), status_code=200)
async def change_role(request: AnyRequest, id: str, pool: Pool) -> Redirect:
    asked = await forms.read(request, NewRole)
    signed = signed_in(request)
    member = await service.set_role(pool, signed.account_id, id, asked.role, signed.member_id)
    await _note(request, pool, "member.role_changed", email=member.email, role=asked.role)
    return go("/dashboard/members")


@post("/members/{id:str}/remove", opt=needs("admin", recent=True), status_code=200)
async def remove(request: AnyRequest, id: str, pool: Pool) -> Redirect:
    signed = signed_in(request)
    member = await service.remove(pool, signed.account_id, id, signed.member_id)
    await _note(request, pool, "member.removed", email=member.email)
    return go("/dashboard/members")


@post("/members/{id:str}/reset", opt=needs("owner", recent=True), status_code=200)
async def reset(request: AnyRequest, id: str, pool: Pool) -> Redirect:
    """Takes the second step, and every session, from a member who lost what it needs."""
    member = await service.get(pool, id)
    if member.account_id != signed_in(request).account_id:
        raise ApiError("not_found", "There is no such member.")
    await sessions.reset_second_step(pool, member, caller_of(request).actor, address_of(request))
    settings, by = request.app.state.settings, signed_in(request).email
    in_background(letters.send(settings, member.email, "Your second step was reset", RESET.format(by=by)))
    return go("/dashboard/members", said="reset")


@get("/members/audit", opt=needs("admin"))
async def show_audit(request: AnyRequest, pool: Pool) -> Response[str]:
    account_id = signed_in(request).account_id
    entries = await audit.page(
        pool, account_id, request.query_params.get("cursor", "").replace("\0", "") or None, AUDIT_PAGE + 1
    )
    shown = entries[:AUDIT_PAGE]
    names = await service.names(pool, account_id, {one.actor for one in shown})
    cursor = shown[-1].id if len(entries) > AUDIT_PAGE else None
    return page(request, "audit.html", entries=shown, names=names, cursor=cursor)


async def _mail_invitation(pool: Pool, settings: Settings, email: str, by: str, link: str) -> None:
    """Tells whoever has the mailbox, and nobody else, that the address has an account."""
    text = TAKEN if await service.by_email(pool, email) else INVITED
    await letters.send(settings, email, f"{by} invites you to AddToCRM", text.format(by=by, link=link))


async def _note(request: AnyRequest, pool: Pool, action: Any, **detail: str) -> None:
    caller = caller_of(request)
    await audit.note(pool, caller.account_id, caller.actor, action, address_of(request), **detail)


async def _page(request: AnyRequest, pool: Pool, status: int = 200, **values: Any) -> Response[str]:
    account_id = signed_in(request).account_id
    shown = {
        "members": await service.of_account(pool, account_id),
        "invitations": await service.invitations(pool, account_id),
        "two_steps": await factors.members_with(pool, account_id) if at_least(signed_in(request).role, "admin") else (),
        "said": SAID.get(request.query_params.get("said", ""), ""),
        "roles": [role for role in ROLES if at_least(signed_in(request).role, role)],
        "allows": ALLOWS,
        "email": "",
        "role": "member",
        "faults": {},
        "link": "",
        "invited": "",
    }
    return page(request, "members.html", status, **{**shown, **values})


handlers = (show, invite, withdraw, change_role, remove, reset, show_audit)
