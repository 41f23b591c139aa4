"""Letting somebody in: by a password or a link to the second step, where they have one; else in."""

from litestar.response import Redirect

from addtocrm.core.db.pool import Pool
from addtocrm.dashboard import cookies, guard
from addtocrm.dashboard.background import in_background
from addtocrm.dashboard.page import go
from addtocrm.dashboard.visitor import AnyRequest, address_of, visitor_of
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.factors import service as factors
from addtocrm.tenants.members import service as members
from addtocrm.tenants.members.model import Member
from addtocrm.tenants.sessions import service as sessions

SECOND_STEP = "/dashboard/sign-in/second"


async def let_in(request: AnyRequest, pool: Pool, member: Member, next: str = "") -> Redirect:
    """Goes on with a member who gave a password or a link: to the second step, where they have one."""
    if not await factors.has(pool, member.id):
        return await admit(request, pool, member, next)
    response = go(SECOND_STEP, next=guard.place(next))
    token = await sessions.begin_half(pool, member)
    cookies.put(request, response, cookies.HALF, token, int(sessions.HALF.total_seconds()))
    return response


async def admit(request: AnyRequest, pool: Pool, member: Member, next: str, **how: str) -> Redirect:
    """Signs a member in, in a session of its own, and goes on at `next`; `how` is for the audit log."""
    token = await sessions.begin(pool, member, address_of(request), request.headers.get("user-agent", ""))
    await audit.note(pool, member.account_id, f"user:{member.id}", "signed_in", address_of(request), **how)
    if before := visitor_of(request).signed:
        await sessions.end(pool, before.member_id, before.session_id)
    response = go(guard.place(next))
    cookies.put(request, response, cookies.SESSION, token, int(sessions.IDLE.total_seconds()))
    cookies.drop(request, response, cookies.HALF)
    return response


def note_failure(request: AnyRequest, pool: Pool, email: str, what: str) -> None:
    """Notes that somebody did not prove to be a member by `what`: beside the answer, whose time tells nobody whether
    there is such a member. There are no more such entries than tries."""
    in_background(_note_failure(pool, email, address_of(request), what))


async def _note_failure(pool: Pool, email: str, address: str, what: str) -> None:
    if member := await members.by_email(pool, email):
        await audit.note(
            pool, member.account_id, audit.NOBODY, "sign_in.failed", address, email=member.email, what=what
        )
