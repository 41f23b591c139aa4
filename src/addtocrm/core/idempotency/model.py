"""What is kept of a request with an Idempotency-Key."""

import msgspec


class Stored(msgspec.Struct, frozen=True):
    """The answer to a request that was carried through."""

    status: int
    content_type: str
    body: bytes


class Once(msgspec.Struct, frozen=True):
    """The right to carry a request out. `outcome` is what it did already (see `service.keep`), where an earlier try
    ended before its answer was stored."""

    owner: str
    key: str
    instance: int
    outcome: bytes | None = None
