"""What is kept of a sensitive action."""

from datetime import datetime
from typing import Any, Literal

import msgspec

Action = Literal[
    "account.created",
    "authenticator_app.added",
    "authenticator_app.removed",
    "crm.connected",
    "crm.disconnected",
    "crm.switched",
    "key.created",
    "key.revoked",
    "member.invited",
    "member.joined",
    "member.removed",
    "member.role_changed",
    "invitation.withdrawn",
    "operator.credits_granted",
    "operator.credits_set",
    "operator.job_cancelled",
    "operator.marked",
    "operator.plan_set",
    "operator.suspended",
    "operator.unmarked",
    "operator.unsuspended",
    "passkey.added",
    "passkey.removed",
    "password.changed",
    "password.reset",
    "recovery_code.used",
    "recovery_codes.made",
    "second_step.reset",
    "session.ended",
    "sign_in.failed",
    "signed_in",
    "signed_out",
]


class Entry(msgspec.Struct, frozen=True):
    """An action: by `actor` (`user:<id>`, `operator`, or `nobody` for a sign-in that failed), from an address; `detail`
    says of what, never a secret."""

    id: str
    at: datetime
    actor: str
    action: Action
    detail: dict[str, Any]
    address: str


class OperatorEntry(Entry, frozen=True):
    """What an operator did to an account. `detail` has `before`, `after` and `reason`; `who` is the actor's email."""

    account_id: str
    account_email: str
    who: str | None


class By(msgspec.Struct, frozen=True):
    """Who changes an account as operator: `user:<id>` from an address, or `operator` by the command line; and why."""

    actor: str = "operator"
    address: str = ""
    reason: str = ""


COMMAND_LINE = By()
