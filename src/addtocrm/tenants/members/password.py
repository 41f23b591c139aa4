"""Passwords at rest: Argon2id with the second recommended parameters of RFC 9106, which spare memory."""

import asyncio
import hashlib
import secrets
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from argon2.profiles import RFC_9106_LOW_MEMORY

HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
SCRYPT = {"n": 2**14, "r": 8, "p": 5, "dklen": 32}
"""How passwords were kept before: `scrypt$salt$hash` in hex (RFC 7914)."""
LEAST, MOST = 10, 1000


def _nobodys() -> str:
    salt, digest = (
        b64encode(secrets.token_bytes(length)).decode().rstrip("=") for length in (HASHER.salt_len, HASHER.hash_len)
    )
    costs = f"m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"


NOBODY = _nobodys()
"""The hash of no password that anybody knows, checked where there is no member, so that an answer takes as long."""
BESIDE = ThreadPoolExecutor(2, "passwords")
"""Two at a time, beside the event loop: each takes 64 MB and the processor; who comes then waits."""


async def hashed(password: str) -> str:
    """What is stored of a password."""
    return await asyncio.get_running_loop().run_in_executor(BESIDE, HASHER.hash, password)


async def fits(password: str, stored: str | None) -> bool:
    """Whether `password` is the stored one; takes as long where there is none."""
    return await asyncio.get_running_loop().run_in_executor(BESIDE, _fits, password, stored)


def _fits(password: str, stored: str | None) -> bool:
    if stored and stored.startswith("scrypt$"):
        _, salt, digest = stored.split("$")
        found = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), maxmem=2**26, **SCRYPT)
        return secrets.compare_digest(found, bytes.fromhex(digest))
    try:
        return HASHER.verify(stored or NOBODY, password) and stored is not None
    except VerifyMismatchError:
        return False


def is_outdated(stored: str) -> bool:
    """Whether it should be hashed anew at the next sign-in."""
    return stored.startswith("scrypt$") or HASHER.check_needs_rehash(stored)
