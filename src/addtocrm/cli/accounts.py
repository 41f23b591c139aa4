"""addtocrm accounts …"""

import sys
from typing import Annotated

from cyclopts import App, Parameter

from addtocrm.cli.database import with_pool
from addtocrm.cli.output import emit
from addtocrm.tenants.accounts import service
from addtocrm.tenants.accounts.model import Plan

app = App(name="accounts", help="Make accounts; set their plan and credits.")


@app.command
def create(
    email: str,
    *,
    plan: Plan = "free",
    credits: int | None = None,
    password_stdin: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
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
def set_plan(email: str, plan: Plan, *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Move an account to a plan; its keys work on Pro only."""
    emit(with_pool(lambda pool: service.set_plan(pool, email, plan)), json=json)


@app.command
def set_credits(email: str, credits: int, *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Make N what is left now and what every later month begins with."""
    emit(with_pool(lambda pool: service.set_credits(pool, email, credits)), json=json)
