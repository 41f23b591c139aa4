"""What an account is."""

from datetime import datetime
from typing import Literal

import msgspec

Plan = Literal["free", "pro"]

MOST_CREDITS = 1_000_000_000
"""More than any account can be given for a month."""


class Account(msgspec.Struct, frozen=True):
    """An account; `credits_available` are neither spent nor held, `period_credits` what the period has in all."""

    id: str
    email: str
    plan: Plan
    credits_available: int
    period_credits: int
    period_start: datetime
    period_end: datetime
    created_at: datetime
    suspended_at: datetime | None

    @property
    def usable(self) -> bool:
        """Whether API keys work."""
        return self.plan == "pro" and self.suspended_at is None


class Listed(msgspec.Struct, frozen=True):
    """An account as its operator sees it among others; `active_at` is when something last happened in it."""

    id: str
    email: str
    plan: Plan
    credits_available: int
    period_credits: int
    suspended_at: datetime | None
    created_at: datetime
    active_at: datetime | None
