"""The text of an API key: a prefix, 30 random characters and a checksum that shows a typo offline."""

import hashlib
import re
import secrets
import zlib

PREFIX = "addtocrm_live_"
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_LENGTH = 30
CHECKSUM_LENGTH = 6
FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}", re.ASCII)


def new_token(seed: bytes | None = None) -> str:
    """A new token: `addtocrm_live_` + 30 random base62 characters + 6 of checksum. The same `seed` (a secret of 256
    bits or more) always makes the same token."""
    number = int.from_bytes(seed or secrets.token_bytes(32))
    body = PREFIX + _base62(number, RANDOM_LENGTH)
    return body + checksum(body)


def checksum(body: str) -> str:
    """CRC-32 of `body` as 6 base62 digits, most significant first (the scheme of GitHub's tokens)."""
    return _base62(zlib.crc32(body.encode("ascii")), CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    """The last digits of a number, the most significant first."""
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits = ALPHABET[digit] + digits
    return digits


def is_well_formed(token: str) -> bool:
    """Whether `token` has the form and the right checksum; says nothing about whether it exists."""
    return FORM.fullmatch(token) is not None and checksum(token[:-CHECKSUM_LENGTH]) == token[-CHECKSUM_LENGTH:]


def hash_token(token: str) -> bytes:
    """What is kept of a token: its SHA-256."""
    return hashlib.sha256(token.encode("ascii")).digest()
