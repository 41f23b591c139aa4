"""On whose behalf something is done, and what a key may."""

from typing import Literal, get_args

import msgspec

from addtocrm.core.idempotency.model import Once

Scope = Literal["enrich", "write", "lists", "read"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


class Caller(msgspec.Struct, frozen=True):
    """On whose behalf something is done. `actor` is `key:<id>`, `user:<id>` or `operator`; `once` is that of the
    request's Idempotency-Key, `item` (`<job>/<position>`) the item of a job that is done."""

    account_id: str
    actor: str
    request_id: str
    key_id: str | None = None
    once: Once | None = None
    item: str | None = None
