"""Ids: a prefix that says what it is, and a UUIDv7, so that ids sort by the time they were made."""

import uuid_utils


def new_id(prefix: str) -> str:
    """A new id such as `per_0199d0c1b2a37c4d8e5f60718293a4b5` (RFC 9562 §5.7)."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"
