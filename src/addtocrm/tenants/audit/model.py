"""What is kept of a sensitive action."""

from datetime import datetime
from typing import Any, Literal

import msgspec

Action = Literal[
    "account.created",
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
    "password.changed",
    "password.reset",
    "session.ended",
    "signed_in",
    "signed_out",
]


class Entry(msgspec.Struct, frozen=True):
    """An action: by `actor` (`user:<id>` or `operator`), from an address; `detail` says of what, never a secret."""

    id: str
    at: datetime
    actor: str
    action: Action
    detail: dict[str, Any]
    address: str
