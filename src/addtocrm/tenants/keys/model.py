"""What a key is."""

from datetime import UTC, datetime

import msgspec

from addtocrm.core.caller import Scope


class Key(msgspec.Struct, frozen=True):
    """A key as it may be shown: never its token."""

    id: str
    account_id: str
    name: str
    prefix: str
    last_four: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    revoked_at: datetime | None
    expires_at: datetime | None
    last_used_at: datetime | None
    """Exact to a minute."""
    rate_per_minute: int | None
    rate_per_hour: int | None

    @property
    def is_over(self) -> bool:
        """Whether it was revoked, or has expired."""
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= datetime.now(UTC))


class NewKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key at its making, the one time that its token is shown. `repeated`: it was made by an earlier try."""

    key: str
    id: str
    name: str
    scopes: tuple[Scope, ...]
    expires_at: datetime | None = None
    repeated: bool = False


class Principal(msgspec.Struct):
    """Who a request comes from, as the key's row and its account's say."""

    key_id: str
    account_id: str
    scopes: frozenset[str]
    plan: str
    revoked: bool
    expired: bool
    rate_per_minute: int
    rate_per_hour: int
    fetched_at: float
