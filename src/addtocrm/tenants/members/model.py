"""What a member is."""

from datetime import datetime
from typing import Literal, get_args

import msgspec

Role = Literal["owner", "admin", "member"]
ROLES: tuple[Role, ...] = get_args(Role)
"""The most powerful first."""

LinkKind = Literal["setup", "invite", "reset", "sign_in", "sign_up"]


class Member(msgspec.Struct, frozen=True):
    """Somebody who signs in for an account. An `operator` sees and changes all accounts. `signed_out` counts how often
    they were signed out everywhere."""

    id: str
    account_id: str
    email: str
    role: Role
    operator: bool
    has_password: bool
    created_at: datetime
    signed_out: int


class Invitation(msgspec.Struct, frozen=True):
    """Somebody who may become a member by a link that was made for them."""

    id: str
    email: str
    role: Role
    created_at: datetime
    expires_at: datetime


class Link(msgspec.Struct, frozen=True):
    """What a one-time link is for. `setup` makes the first owner, `invite` a member of `account_id`, `reset` sets the
    password of `member_id`, `sign_in` lets them in, `sign_up` makes an account for `email`."""

    kind: LinkKind
    account_id: str | None
    member_id: str | None
    email: str | None
    role: Role | None


def at_least(role: Role, wanted: Role) -> bool:
    """Whether a role may do what needs `wanted`."""
    return ROLES.index(role) <= ROLES.index(wanted)
