"""Ids: a prefix that says what it is, and a UUIDv7, so that ids sort by the time they were made."""

import re

import uuid_utils

ID = re.compile(r"[a-z]{3}_[0-9a-f]{32}")
"""The form of every id."""


def new_id(prefix: str) -> str:
    """A new id such as `per_0199d0c1b2a37c4d8e5f60718293a4b5` (RFC 9562 §5.7)."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"
