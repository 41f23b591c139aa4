"""addtocrm accounts …"""

import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter

from addtocrm.cli.database import with_pool
from addtocrm.cli.output import emit
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.tenants.accounts import service
from addtocrm.tenants.accounts.model import Plan
from addtocrm.tenants.audit.model import COMMAND_LINE, By
from addtocrm.tenants.members import service as members
from addtocrm.tenants.members.model import Member
from addtocrm.tenants.sessions import service as sessions

app = App(name="accounts", help="Make accounts; set their plan and credits; suspend them.")

Json = Annotated[bool, Parameter(negative=())]


@app.command
def create(
    email: str,
    *,
    plan: Plan = "free",
    credits: int | None = None,
    password_stdin: Annotated[bool, Parameter(negative=())] = False,
    json: Json = False,
) -> None:
    """Make an account.

    Args:
        email: its address, by which the other commands know it
        plan: free or pro; API keys need pro
        credits: monthly credits, where they differ from the plan's
        password_stdin: read the password for the dashboard from standard input
        json: one JSON document instead of a table
    """
    password = sys.stdin.readline().rstrip("\n") if password_stdin else None
    emit(with_pool(lambda pool: service.create(pool, email, plan, credits, password)), json=json)


@app.command
def set_plan(email: str, plan: Plan, *, reason: str = "", json: Json = False) -> None:
    """Move an account to a plan; its keys work on Pro only.

    Args:
        email: the account's address
        plan: free or pro
        reason: why; it is kept in the audit trail
        json: one JSON document instead of a table
    """
    emit(with_pool(lambda pool: service.set_plan(pool, email, plan, By(reason=reason))), json=json)


@app.command
def set_credits(email: str, credits: int, *, reason: str = "", json: Json = False) -> None:
    """Set what is left now and what each later month begins with.

    Args:
        email: the account's address
        credits: how many
        reason: why; it is kept in the audit trail
        json: one JSON document instead of a table
    """
    emit(with_pool(lambda pool: service.set_credits(pool, email, credits, By(reason=reason))), json=json)


@app.command
def grant_credits(email: str, credits: int, *, reason: str = "", json: Json = False) -> None:
    """Add credits to this month; later months begin as before.

    Args:
        email: the account's address
        credits: how many
        reason: why; it is kept in the audit trail
        json: one JSON document instead of a table
    """
    emit(with_pool(lambda pool: service.grant_credits(pool, email, credits, By(reason=reason))), json=json)


@app.command
def suspend(email: str, *, reason: str = "", json: Json = False) -> None:
    """Refuse an account's keys, and let its members only look.

    Args:
        email: the account's address
        reason: why; it is kept in the audit trail
        json: one JSON document instead of a table
    """
    emit(with_pool(lambda pool: service.suspend(pool, email, By(reason=reason))), json=json)


@app.command
def unsuspend(email: str, *, reason: str = "", json: Json = False) -> None:
    """Let a suspended account go on; its keys work again.

    Args:
        email: the account's address
        reason: why; it is kept in the audit trail
        json: one JSON document instead of a table
    """
    emit(with_pool(lambda pool: service.unsuspend(pool, email, By(reason=reason))), json=json)


@app.command
def operator(email: str, on: Literal["on", "off"], *, reason: str = "", json: Json = False) -> None:
    """Let a member run the deployment in the dashboard: see and change all accounts.

    Args:
        email: the address that they sign in with
        on: on or off
        reason: why; it is kept in the audit trail
        json: one JSON document instead of a table
    """
    emit(with_pool(lambda pool: members.set_operator(pool, email, on=on == "on", by=By(reason=reason))), json=json)


@app.command
def reset_second_step(email: str, *, json: Json = False) -> None:
    """Take the authenticator app, passkeys and recovery codes from a member who lost them.

    Args:
        email: the member's address; their password is enough to sign in then
        json: one JSON document instead of a table
    """

    async def work(pool: Pool) -> Member:
        member = await members.by_email(pool, email)
        if member is None:
            raise ApiError("not_found", f"There is no member {email}.")
        await sessions.reset_second_step(pool, member, COMMAND_LINE.actor, COMMAND_LINE.address)
        return member

    emit(with_pool(work), json=json)
