"""For who runs the deployment: all accounts, jobs, health, and what operators did."""

import hashlib
import secrets
import socket
from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect
from msgspec import Meta

from addtocrm.core.caller import Caller
from addtocrm.core.db.notify import Listener, hosts
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.settings import Settings
from addtocrm.dashboard import forms, health
from addtocrm.dashboard.guard import runs
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, address_of, caller_of
from addtocrm.jobs import service as jobs
from addtocrm.sources.index.reader import Reader
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.accounts.model import Plan
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.audit.model import By
from addtocrm.tenants.keys import service as keys
from addtocrm.tenants.members import service as members
from addtocrm.tenants.usage import service as usage
from addtocrm.web.health import collected

ON_A_PAGE = 50
RECENT = 10
LONGEST_REASON = 500
SAID = {
    "plan": "The plan is set.",
    "credits": "The credits are set.",
    "grant": "The credits are added.",
    "suspend": "The account is suspended. Its API keys are refused within a second.",
    "unsuspend": "The account goes on. Its API keys work again.",
}


class Because(msgspec.Struct, frozen=True):
    """Why something is done; each action needs it."""

    reason: str = ""


class NewPlan(Because, frozen=True, kw_only=True):
    plan: Plan


class NewCredits(Because, frozen=True, kw_only=True):
    credits: int


class Grant(NewCredits, frozen=True, kw_only=True):
    """`form` is that of the page: the same one sent twice, as by a double click, adds the credits once."""

    form: Annotated[str, Meta(min_length=1)]


@get("/operator", opt=runs())
async def show_accounts(request: AnyRequest, pool: Pool) -> Response[str]:
    cursor = request.query_params.get("cursor")
    found, cursor = await accounts.page(pool, forms.asked(request, "find"), cursor, ON_A_PAGE)
    return page(request, "operator_accounts.html", accounts=found, cursor=cursor)


@get("/operator/accounts/{id:str}", opt=runs())
async def show_account(request: AnyRequest, id: str, pool: Pool) -> Response[str]:
    return await _account(request, id, pool)


@post("/operator/accounts/{id:str}/plan", opt=runs(recent=True), status_code=200)
async def set_plan(request: AnyRequest, id: str, pool: Pool) -> Response[str] | Redirect:
    async def change(email: str) -> None:
        asked = await forms.read(request, NewPlan)
        await accounts.set_plan(pool, email, asked.plan, _by(request, asked))

    return await _changed(request, id, pool, "plan", change)


@post("/operator/accounts/{id:str}/credits", opt=runs(recent=True), status_code=200)
async def set_credits(request: AnyRequest, id: str, pool: Pool) -> Response[str] | Redirect:
    async def change(email: str) -> None:
        asked = await forms.read(request, NewCredits)
        await accounts.set_credits(pool, email, asked.credits, _by(request, asked))

    return await _changed(request, id, pool, "credits", change)


@post("/operator/accounts/{id:str}/grant", opt=runs(recent=True), status_code=200)
async def grant(request: AnyRequest, id: str, pool: Pool) -> Response[str] | Redirect:
    async def change(email: str) -> None:
        asked = await forms.read(request, Grant)
        form = hashlib.sha256(msgspec.json.encode((id, asked))).digest()
        await accounts.grant_credits(pool, email, asked.credits, _by(request, asked), form)

    return await _changed(request, id, pool, "grant", change)


@post("/operator/accounts/{id:str}/suspend", opt=runs(recent=True), status_code=200)
async def suspend(request: AnyRequest, id: str, pool: Pool) -> Response[str] | Redirect:
    async def change(email: str) -> None:
        await accounts.suspend(pool, email, _by(request, await forms.read(request, Because)))

    return await _changed(request, id, pool, "suspend", change)


@post("/operator/accounts/{id:str}/unsuspend", opt=runs(recent=True), status_code=200)
async def unsuspend(request: AnyRequest, id: str, pool: Pool) -> Response[str] | Redirect:
    async def change(email: str) -> None:
        await accounts.unsuspend(pool, email, _by(request, await forms.read(request, Because)))

    return await _changed(request, id, pool, "unsuspend", change)


@get("/operator/jobs", opt=runs())
async def show_jobs(request: AnyRequest, pool: Pool) -> Response[str]:
    return await _jobs(request, pool)


@post("/operator/jobs/{id:str}/cancel", opt=runs(recent=True), status_code=200)
async def cancel(request: AnyRequest, id: str, pool: Pool) -> Response[str] | Redirect:
    """The job ends as if its account had cancelled it; the audit trail says who did."""
    try:
        by = _by(request, await forms.read(request, Because))
    except ApiError as error:
        typed = (await forms.texts(request)).get("reason", "")
        return await _jobs(request, pool, error.status, tried=id, typed=typed, faults=forms.faults(error))
    account_id = await jobs.owner(pool, id)
    before = (await jobs.get(pool, account_id, id)).status
    after = (await jobs.cancel(pool, Caller(account_id, "operator", caller_of(request).request_id), id)).status
    await audit.note_operator(pool, account_id, "operator.job_cancelled", by, f"{id} {before}", after)
    return go("/dashboard/operator/jobs", state="open")


@get("/operator/health", opt=runs())
async def show_health(request: AnyRequest, pool: Pool, listener: Listener, reader: Reader) -> Response[str]:
    settings: Settings = request.app.state.settings
    found = await health.checks(settings, pool, listener, reader)
    return page(
        request,
        "operator_health.html",
        checks=found,
        vendors=health.vendors(collected()),
        hosts=await hosts(pool),
        here=socket.gethostname(),
    )


@get("/operator/audit", opt=runs())
async def show_audit(request: AnyRequest, pool: Pool) -> Response[str]:
    entries = await audit.of_operators(pool, None, forms.asked(request, "before") or None, ON_A_PAGE + 1)
    following = entries[ON_A_PAGE - 1].id if len(entries) > ON_A_PAGE else None
    return page(request, "operator_audit.html", entries=entries[:ON_A_PAGE], following=following)


def _by(request: AnyRequest, because: Because) -> By:
    """Who does it, and why. Raises ApiError where that is not said."""
    reason = because.reason.strip()
    if not 0 < len(reason) <= LONGEST_REASON:
        raise invalid("reason", f"Say why, in up to {LONGEST_REASON} characters: the audit trail keeps it.")
    return By(caller_of(request).actor, address_of(request), reason)


async def _changed(request: AnyRequest, id: str, pool: Pool, said: str, change: Any) -> Response[str] | Redirect:
    """Changes an account, and shows it again, with what was wrong where it was not done."""
    account = await accounts.get(pool, id)
    try:
        await change(account.email)
    except ApiError as error:
        typed = await forms.texts(request)
        return await _account(request, id, pool, error.status, tried=said, typed=typed, faults=forms.faults(error))
    return go(f"/dashboard/operator/accounts/{id}", said=said)


async def _jobs(request: AnyRequest, pool: Pool, status: int = 200, **refused: Any) -> Response[str]:
    """The page of jobs; of one whose cancelling was refused (`tried`) with the reason as `typed` and its `faults`."""
    asked = request.query_params
    only_open = asked.get("state") == "open"
    found, cursor = await jobs.all_jobs(pool, asked.get("cursor"), ON_A_PAGE, only_open=only_open)
    shown: dict[str, Any] = {
        "jobs": found,
        "cursor": cursor,
        "only_open": only_open,
        "tried": "",
        "typed": "",
        "faults": {},
    }
    return page(request, "operator_jobs.html", status, **{**shown, **refused})


async def _account(request: AnyRequest, id: str, pool: Pool, status: int = 200, **refused: Any) -> Response[str]:
    """The page of an account; of a form that was refused (`tried`) with what was `typed` and its `faults`."""
    account = await accounts.get(pool, id)
    return page(
        request,
        "operator_account.html",
        status,
        account=account,
        usage=await usage.of_account(pool, id),
        members=await members.of_account(pool, id),
        seen=await members.last_seen(pool, id),
        keys=await keys.of_account(pool, id),
        entries=await audit.of_operators(pool, id, None, RECENT),
        said=SAID.get(request.query_params.get("said", ""), ""),
        form=secrets.token_urlsafe(24),
        **{"tried": "", "typed": {}, "faults": {}, **refused},
    )


handlers: tuple[Any, ...] = (
    show_accounts,
    show_account,
    set_plan,
    set_credits,
    grant,
    suspend,
    unsuspend,
    show_jobs,
    cancel,
    show_health,
    show_audit,
)
