"""What a session is."""

from datetime import datetime

import msgspec

from addtocrm.tenants.accounts.model import Plan
from addtocrm.tenants.members.model import Role


class Session(msgspec.Struct, frozen=True):
    """Where somebody is signed in: from which address, with which browser (its own words)."""

    id: str
    address: str
    agent: str
    created_at: datetime
    seen_at: datetime


class Signed(msgspec.Struct, frozen=True):
    """Who is signed in by a token, for which account. `confirmed_at` is when they last proved who they are; with
    `two_steps` a password is not enough for that. `shortcuts` says whether single keys lead to pages."""

    session_id: str
    member_id: str
    email: str
    role: Role
    operator: bool
    has_password: bool
    two_steps: bool
    shortcuts: bool
    account_id: str
    account_email: str
    plan: Plan
    suspended: bool
    credits: int
    confirmed_at: datetime
