"""What a look-up is made of."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta

from addtocrm.core import identifiers
from addtocrm.events.model import EventType


class Operation(msgspec.Struct, frozen=True):
    """A kind of look-up that costs one credit; `name` is what usage and the ledger call it."""

    name: str
    event: EventType


class Ref(NamedTuple):
    """Which look-up: two requests with the same Ref are the same one."""

    account_id: str
    operation: str
    key: str

    @classmethod
    def of(cls, account_id: str, operation: Operation, key: str) -> "Ref":
        """`key` is the normalised question, however long."""
        return cls(account_id, operation.name, identifiers.bounded(key))


Refresh = bool | datetime
"""Whether to ask afresh: what is cached already counts not at all, or only from a time on."""


RefreshField = Annotated[bool, Meta(description="Look up again, and pay, even if the answer is cached.")]
"""The option of every request for a look-up."""


class Outcome(msgspec.Struct, frozen=True):
    """What the work found: the encoded object, and what its event tells. Not billable: free and not kept."""

    data: bytes
    event: dict[str, Any]
    billable: bool = True
    subjects: Sequence[bytes] = ()
    """Whom it is about, as `suppressions` names them: a result about somebody on the list is none."""


class Answer(msgspec.Struct, frozen=True):
    """What the caller is told; `data` is encoded JSON."""

    data: bytes
    cached: bool
    credits_deducted: int
    credits_remaining: int


class Charged(msgspec.Struct, frozen=True):
    """An answer that cost a credit, as it is kept with an Idempotency-Key."""

    data: msgspec.Raw
    credits_remaining: int


ClaimState = Literal["busy", "cached", "suppressed", "insufficient", "held"]
CaptureState = Literal["captured", "suppressed", "lost"]


class Claim(msgspec.Struct, frozen=True):
    """The database's word on whether a look-up may go ahead."""

    state: ClaimState
    data: str | None
    expires_at: datetime | None
    available: int
    paid: bool | None
    """Of what is cached: whether the same item of a job paid for it, before a crash."""
