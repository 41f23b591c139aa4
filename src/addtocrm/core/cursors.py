"""Opaque cursors: where a page ended, as URL-safe text."""

import base64
from typing import TypeVar

import msgspec

from addtocrm.core.errors import invalid

T = TypeVar("T")


def encode(place: object) -> str:
    """The cursor for `place` (any msgspec-encodable value)."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode()


def decode(cursor: str, type: type[T]) -> T:
    """The place that `encode` was given. Raises ApiError for anything else."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        if b"\\u0000" in raw:
            raise ValueError
        return msgspec.json.decode(raw, type=type)
    except (ValueError, msgspec.DecodeError):
        raise invalid("cursor", "is not a cursor of this collection; leave it out to start over.") from None
