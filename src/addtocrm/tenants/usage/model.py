"""What an account has used in its current period."""

from datetime import datetime
from typing import Literal

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
    """What one kind of lookup cost; `cached` answers were free."""

    operation: str
    credits: int
    cached: int


class KeyUse(msgspec.Struct, frozen=True):
    """Credits of one key; `key_id` null: the dashboard's and the command line's."""

    key_id: str | None
    name: str | None
    credits: int
    cached: int


class MemberUse(msgspec.Struct, frozen=True):
    """Credits of one member in the dashboard; `member_id` null: the command line's. `email` is null for somebody who
    is no member any more."""

    member_id: str | None
    email: str | None
    credits: int
    cached: int


class DayUse(msgspec.Struct, frozen=True):
    """Credits of one day, UTC, also by operation."""

    date: str
    credits: int
    cached: int
    operations: dict[str, int]


Kind = Literal["grant", "charge", "adjust", "expire"]


class LedgerLine(msgspec.Struct, frozen=True):
    """A change of the balance: `grant` at a period's beginning, `charge` for a lookup, `adjust` by the operator,
    `expire` of what was left. `amount` is negative where credits went. `who` is the name of the key, or the email of
    the member, that asked."""

    id: str
    at: datetime
    kind: Kind
    amount: int
    operation: str | None
    request_id: str | None
    actor: str | None
    who: str | None


class LedgerFilter(msgspec.Struct, frozen=True):
    """Which lines of a ledger: those of an actor (`key:<id>`, `user:<id>`), of an operation, from a time on, before
    another."""

    actor: str | None = None
    operation: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class Usage(msgspec.Struct, frozen=True):
    plan: Plan
    period: Period
    credits: Credits
    by_operation: list[OperationUse]
    by_key: list[KeyUse]
    by_member: list[MemberUse]
    by_day: list[DayUse]
