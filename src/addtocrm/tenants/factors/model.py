"""What members sign in with besides a password."""

from datetime import datetime
from typing import Literal

import msgspec

Way = Literal["authenticator app", "recovery code"]


class Passkey(msgspec.Struct, frozen=True):
    """A key pair of a device of the member's (WebAuthn). It counts as password and second step alike."""

    id: str
    name: str
    created_at: datetime
    used_at: datetime | None


class Factors(msgspec.Struct, frozen=True):
    """What a member has: whether an authenticator app, which passkeys, and how many recovery codes are left."""

    app: bool
    passkeys: list[Passkey]
    codes: int


class Known(msgspec.Struct, frozen=True):
    """What is kept to check a passkey: whose it is, and how often it says it was used."""

    id: str
    member_id: str
    public_key: bytes
    sign_count: int


class Site(msgspec.Struct, frozen=True):
    """Where passkeys are good: the host that they belong to (the relying party's id), and its pages' origin."""

    id: str
    origin: str
