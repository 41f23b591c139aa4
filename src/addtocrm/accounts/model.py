"""What an account is."""

from datetime import datetime
from typing import Literal

import msgspec

Plan = Literal["free", "pro"]

PLAN_CREDITS: dict[Plan, int] = {"free": 50, "pro": 1000}
"""Credits a month where an account has no number of its own."""


class Account(msgspec.Struct, frozen=True):
    """An account; `credits_available` are neither spent nor held, `period_credits` what the period began with."""

    id: str
    email: str
    plan: Plan
    credits_available: int
    period_credits: int
    period_start: datetime
    period_end: datetime
    created_at: datetime
