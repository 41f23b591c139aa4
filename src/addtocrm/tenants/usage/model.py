"""What an account has used in its current period."""

from datetime import datetime

import msgspec

from addtocrm.tenants.accounts.model import Plan


class Period(msgspec.Struct, frozen=True):
    """A calendar month from the account's anniversary; `end` is its first moment no longer."""

    start: str
    end: str


class Credits(msgspec.Struct, frozen=True):
    """`limit` is what this period has in all, `monthly` what the next begins with; `held` is under way."""

    limit: int
    used: int
    held: int
    remaining: int
    monthly: int


class OperationUse(msgspec.Struct, frozen=True):
    operation: str
    credits: int


class KeyUse(msgspec.Struct, frozen=True):
    """Credits of one key; `key_id` null: the dashboard's and the command line's."""

    key_id: str | None
    name: str | None
    credits: int


class DayUse(msgspec.Struct, frozen=True):
    """Credits of one day, UTC."""

    date: str
    credits: int


class LedgerLine(msgspec.Struct, frozen=True):
    """A change of the balance: `grant` at a period's beginning, `charge` for a lookup, `adjust` by the operator,
    `expire` of what was left. `amount` is negative where credits went."""

    id: str
    at: datetime
    kind: str
    amount: int
    operation: str | None
    request_id: str | None
    key_name: str | None


class Usage(msgspec.Struct, frozen=True):
    plan: Plan
    period: Period
    credits: Credits
    by_operation: list[OperationUse]
    by_key: list[KeyUse]
    by_day: list[DayUse]
