"""Links that let somebody in once: the first owner, whoever was invited, a new password; and signing up."""

import re

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core import letters
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.settings import Settings
from addtocrm.dashboard import cookies, forms
from addtocrm.dashboard.background import in_background
from addtocrm.dashboard.entering import let_in
from addtocrm.dashboard.guard import opened
from addtocrm.dashboard.limits import count_try
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, address_of
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.members import service as members
from addtocrm.tenants.members.model import Link, LinkKind

PATHS: dict[LinkKind, str] = {
    "setup": "setup",
    "invite": "join",
    "reset": "reset",
    "sign_in": "enter",
    "sign_up": "welcome",
}
"""The page that each kind of link leads to."""
LINK_SECONDS = 3600
TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")
SIGN_UP = """Choose a password within a day, and your AddToCRM account is there:

{link}

If it was not you, do nothing.
"""
KNOWN = """Somebody asked for an AddToCRM account with your address. You have one; sign in, or choose a new password, at

{link}
"""


class NewOwner(msgspec.Struct, frozen=True):
    email: str = ""
    password: str = ""


class NewPassword(msgspec.Struct, frozen=True):
    password: str = ""


def address_for(base_url: str, kind: LinkKind, token: str) -> str:
    """What somebody opens who was given a link."""
    return f"{base_url}/dashboard/link?for={PATHS[kind]}&token={token}"


@get("/link", opt=opened(), sync_to_thread=False)
def follow(request: AnyRequest) -> Redirect:
    """Takes the token out of the address, where others could see it, and goes on."""
    wanted, token = request.query_params.get("for", ""), request.query_params.get("token", "")
    if wanted not in PATHS.values() or not TOKEN.fullmatch(token):
        raise invalid("", members.DEAD)
    response = go(f"/dashboard/{wanted}")
    cookies.put(request, response, cookies.LINK, token, LINK_SECONDS)
    return response


@get("/setup", opt=opened())
async def ask_owner(request: AnyRequest, pool: Pool) -> Response[str]:
    await _link(request, pool, "setup")
    if not await members.nobody_can_sign_in(pool):
        raise invalid("", members.DEAD)
    return page(request, "setup.html", email="", faults={})


@post("/setup", opt=opened(), status_code=200)
async def set_up(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    """Makes the first owner, who runs the deployment."""
    asked = await forms.read(request, NewOwner)
    await _link(request, pool, "setup")
    try:
        email = members.address(asked.email)
        password_hash = await members.hashed(asked.password)
        async with pool.acquire() as connection, connection.transaction():
            await members.check_first(connection)
            await members.taken(connection, "setup", _token(request))
            known = await members.known(connection, email)
            if known:
                await members.make_operator(connection, known.id, password_hash)
                member = known
            else:
                account = await accounts.create_within(
                    connection, email, "pro", password_hash=password_hash, operator=True
                )
                member = (await members.owners(connection, account.id))[0]
                await audit.note(connection, account.id, f"user:{member.id}", "account.created", address_of(request))
    except ApiError as error:
        return page(request, "setup.html", error.status, email=asked.email, faults=forms.faults(error))
    return await let_in(request, pool, member)


@get("/join", opt=opened())
async def ask_to_join(request: AnyRequest, pool: Pool) -> Response[str]:
    link = await _link(request, pool, "invite")
    return page(request, "join.html", link=link, faults={})


@post("/join", opt=opened(), status_code=200)
async def join(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    asked = await forms.read(request, NewPassword)
    link = await _link(request, pool, "invite")
    try:
        member = await members.accept(pool, _token(request), asked.password)
    except ApiError as error:
        return page(request, "join.html", error.status, link=link, faults=forms.faults(error))
    await audit.note(
        pool, member.account_id, f"user:{member.id}", "member.joined", address_of(request), role=member.role
    )
    return await let_in(request, pool, member)


@get("/reset", opt=opened())
async def ask_password(request: AnyRequest, pool: Pool) -> Response[str]:
    await _link(request, pool, "reset")
    return page(request, "reset.html", faults={})


@post("/reset", opt=opened(), status_code=200)
async def reset(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    """Sets a new password; whoever is signed in as this member is signed out."""
    asked = await forms.read(request, NewPassword)
    try:
        member = await members.reset(pool, _token(request), asked.password)
    except ApiError as error:
        return page(request, "reset.html", error.status, faults=forms.faults(error))
    await audit.note(pool, member.account_id, f"user:{member.id}", "password.reset", address_of(request))
    return await let_in(request, pool, member)


@get("/enter", opt=opened())
async def ask_to_enter(request: AnyRequest, pool: Pool) -> Response[str]:
    await _link(request, pool, "sign_in")
    return page(request, "enter.html")


@post("/enter", opt=opened(), status_code=200)
async def enter(request: AnyRequest, pool: Pool) -> Redirect:
    link = await members.taken(pool, "sign_in", _token(request))
    assert link.member_id
    return await let_in(request, pool, await members.get(pool, link.member_id))


@get("/sign-up", opt=opened(), sync_to_thread=False)
def ask_sign_up(request: AnyRequest) -> Response[str]:
    _check_open(request)
    return page(request, "sign_up.html", email="", fault="", sent=False)


@post("/sign-up", opt=opened(), status_code=200)
async def sign_up(request: AnyRequest, pool: Pool) -> Response[str]:
    """Sends a link to the address, which proves whose it is. Answers alike whether somebody has it or not."""
    _check_open(request)
    asked = await forms.read(request, NewOwner)
    try:
        await count_try(request, asked.email, "mail")
        email = members.address(asked.email)
    except ApiError as error:
        typed, wait = asked.email, error.retry_after_seconds
        return page(request, "sign_up.html", error.status, wait, email=typed, fault=error.message, sent=False)
    in_background(_invite_to_sign_up(pool, request.app.state.settings, email))
    return page(request, "sign_up.html", email=email, fault="", sent=True)


async def _invite_to_sign_up(pool: Pool, settings: Settings, email: str) -> None:
    async with pool.acquire() as connection:
        known = await members.known(connection, email)
    if known:
        text = KNOWN.format(link=f"{settings.base_url}/dashboard/sign-in")
    else:
        token = await members.link(pool, Link("sign_up", None, None, email, None))
        text = SIGN_UP.format(link=address_for(settings.base_url, "sign_up", token))
    await letters.send(settings, email, "Your AddToCRM account", text)


@get("/welcome", opt=opened())
async def ask_new(request: AnyRequest, pool: Pool) -> Response[str]:
    return page(request, "welcome.html", link=await _link(request, pool, "sign_up"), faults={})


@post("/welcome", opt=opened(), status_code=200)
async def welcome(request: AnyRequest, pool: Pool) -> Response[str] | Redirect:
    """The account of who signed up, on the free plan."""
    _check_open(request)
    asked = await forms.read(request, NewPassword)
    link = await _link(request, pool, "sign_up")
    try:
        password_hash = await members.hashed(asked.password)
        async with pool.acquire() as connection, connection.transaction():
            taken = await members.taken(connection, "sign_up", _token(request))
            account = await accounts.create_within(connection, taken.email or "", password_hash=password_hash)
            member = (await members.owners(connection, account.id))[0]
            await audit.note(connection, account.id, f"user:{member.id}", "account.created", address_of(request))
    except ApiError as error:
        return page(request, "welcome.html", error.status, link=link, faults=forms.faults(error))
    return await let_in(request, pool, member)


def _check_open(request: AnyRequest) -> None:
    if not request.app.state.settings.open_signup:
        raise ApiError("not_found", "Accounts are made by invitation here. Ask somebody of your team to invite you.")


def _token(request: AnyRequest) -> str:
    return cookies.read(request, cookies.LINK)


async def _link(request: AnyRequest, pool: Pool, kind: LinkKind) -> Link:
    return await members.seen(pool, kind, _token(request))


handlers = (
    follow,
    ask_owner,
    set_up,
    ask_to_join,
    join,
    ask_password,
    reset,
    ask_to_enter,
    enter,
    ask_sign_up,
    sign_up,
    ask_new,
    welcome,
)
