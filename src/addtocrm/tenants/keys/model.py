"""What a key is."""

from datetime import datetime

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
    rate_per_minute: int | None
    rate_per_hour: int | None


class NewKey(msgspec.Struct, frozen=True):
    """A key at its making, the one time that its token is shown."""

    key: str
    id: str
    name: str
    scopes: tuple[Scope, ...]


class Principal(msgspec.Struct):
    """Who a request comes from, as the key's row and its account's say."""

    key_id: str
    account_id: str
    scopes: frozenset[str]
    plan: str
    revoked: bool
    rate_per_minute: int
    rate_per_hour: int
    fetched_at: float
