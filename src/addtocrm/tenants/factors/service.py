"""The rules of the second step: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for who lost it."""

import base64
import hashlib
import hmac
import os
import re
import secrets
import time
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from addtocrm.core import secrets as sealing
from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.tenants.factors import store
from addtocrm.tenants.factors.model import Factors, Way

log = structlog.get_logger()

ISSUER = "AddToCRM"
DIGITS, STEP_SECONDS, SECRET_BYTES = 6, 30, 20
DRIFT = (0, -1, 1)
"""By how many steps a clock may be wrong."""
CODES, CODE_BYTES = 10, 10
APP_CODE = re.compile(r"[0-9]{6}")
WRONG = "This code is wrong, or was used before. Enter the one that the app shows now, or a recovery code."


async def of_member(pool: Pool, member_id: str) -> Factors:
    """What a member has."""
    return await store.of_member(pool, member_id)


async def has(pool: Pool, member_id: str) -> bool:
    """Whether a password is not enough for a member."""
    found = await store.of_member(pool, member_id)
    return found.app or bool(found.passkeys)


async def members_with(pool: Pool, account_id: str) -> set[str]:
    """The members of an account for whom a password is not enough."""
    return set(await store.members_with(pool, account_id))


async def begin_app(pool: Pool, data_dir: Path, member_id: str) -> str:
    """The secret (base32) of an app, which counts once a code of it was given. Raises ApiError where there is one."""
    secret = base64.b32encode(os.urandom(SECRET_BYTES)).decode()
    async with pool.acquire() as connection, connection.transaction():
        await store.lock(connection, member_id)
        if await store.secret(connection, member_id, confirmed=True):
            raise invalid("", "You have an authenticator app already. Turn it off first.")
        await store.put_app(connection, member_id, sealing.seal(data_dir, secret, _purpose(member_id)))
    return secret


async def begun_app(pool: Pool, data_dir: Path, member_id: str) -> str | None:
    """The secret of the app that waits for its first code."""
    return _opened(data_dir, member_id, await store.secret(pool, member_id, confirmed=False))


def address_of_app(secret: str, email: str) -> str:
    """What an app takes up, from a QR code."""
    return _totp(secret).get_provisioning_uri(email, ISSUER)


async def confirm_app(pool: Pool, data_dir: Path, member_id: str, code: str) -> list[str]:
    """The app that was begun counts from now on. Gives recovery codes, where the member has none. Raises ApiError."""
    async with pool.acquire() as connection, connection.transaction():
        await store.lock(connection, member_id)
        sealed = await store.secret(connection, member_id, confirmed=False)
        await _take_step(connection, data_dir, member_id, sealed, code)
        return await missing_codes(connection, member_id)


async def remove_app(pool: Pool, member_id: str) -> None:
    """Raises ApiError where there is none."""
    async with pool.acquire() as connection, connection.transaction():
        await store.lock(connection, member_id)
        if not await store.secret(connection, member_id, confirmed=True):
            raise ApiError("not_found", "There is no authenticator app.")
        await store.delete_app(connection, member_id)
        await drop_needless_codes(connection, member_id)


async def prove(pool: Pool, data_dir: Path, member_id: str, code: str) -> Way:
    """Uses up a code of the member's app, or a recovery code; gives which it was. Raises ApiError `invalid_auth`."""
    typed = _typed(code)
    if APP_CODE.fullmatch(typed):
        await _take_step(pool, data_dir, member_id, await store.secret(pool, member_id, confirmed=True), typed)
        return "authenticator app"
    if await store.take_code(pool, member_id, _hash(typed)):
        return "recovery code"
    raise ApiError("invalid_auth", WRONG)


async def new_codes(pool: Pool, member_id: str) -> list[str]:
    """Recovery codes in place of those from before. Raises ApiError where there is nothing to recover from."""
    async with pool.acquire() as connection, connection.transaction():
        await store.lock(connection, member_id)
        found = await store.of_member(connection, member_id)
        if not found.app and not found.passkeys:
            raise invalid("", "Set up an authenticator app or a passkey first.")
        return await _put_codes(connection, member_id)


async def reset(connection: Connection, member_id: str) -> None:
    """Takes everything away from a member who lost it: the password is enough again."""
    await store.lock(connection, member_id)
    await store.delete_app(connection, member_id)
    await store.delete_passkey(connection, member_id, None)
    await store.put_codes(connection, member_id, [])


async def missing_codes(connection: Connection, member_id: str) -> list[str]:
    """Recovery codes for a member who has none, with their first app or passkey; else none."""
    found = await store.of_member(connection, member_id)
    return [] if found.codes else await _put_codes(connection, member_id)


async def drop_needless_codes(connection: Connection, member_id: str) -> None:
    """Recovery codes go with the last app or passkey."""
    found = await store.of_member(connection, member_id)
    if not found.app and not found.passkeys:
        await store.put_codes(connection, member_id, [])


async def reseal(connection: Connection, data_dir: Path) -> None:
    """Seals every app's secret anew, with the newest key of the file; those that do not open stay as they are."""
    for member_id, sealed in await store.sealed(connection):
        try:
            secret = sealing.unseal(data_dir, sealed, _purpose(member_id))
        except sealing.SecretError as error:
            log.error("secret_closed", member_id=member_id, reason=str(error))
            continue
        await store.reseal(connection, member_id, sealing.seal(data_dir, secret, _purpose(member_id)))


async def delete_expired(pool: Pool) -> None:
    """Deletes challenges that nobody answered."""
    await store.delete_expired(pool)


async def _take_step(db: Pool | Connection, data_dir: Path, member_id: str, sealed: bytes | None, code: str) -> None:
    """Uses up the time step that `code` is of, on all hosts together (RFC 6238 §5.2). Raises ApiError."""
    secret = _opened(data_dir, member_id, sealed)
    step = _step_of(secret, _typed(code)) if secret else None
    if sealed is None or step is None or not await store.take_step(db, member_id, sealed, step):
        raise ApiError("invalid_auth", WRONG)


def _typed(code: str) -> str:
    """A code without the blanks and hyphens between its parts."""
    return re.sub(r"[\s-]", "", code).lower()


def _step_of(secret: str, code: str) -> int | None:
    totp, now = _totp(secret), int(time.time()) // STEP_SECONDS
    fits = (now + off for off in DRIFT if hmac.compare_digest(totp.generate((now + off) * STEP_SECONDS), code.encode()))
    return next(fits, None)


def _totp(secret: str) -> TOTP:
    # SHA-1 is what all apps know; as an HMAC it is safe (RFC 6238, RFC 6151 §2.2 likewise).
    return TOTP(base64.b32decode(secret), DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303


def _opened(data_dir: Path, member_id: str, sealed: bytes | None) -> str | None:
    if sealed is None:
        return None
    try:
        return sealing.unseal(data_dir, sealed, _purpose(member_id))
    except sealing.SecretError as error:
        log.error("secret_closed", member_id=member_id, reason=str(error))
        raise ApiError(
            "internal_error", "Codes of the app cannot be checked on this server now. Use a recovery code."
        ) from None


async def _put_codes(connection: Connection, member_id: str) -> list[str]:
    codes = [base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode().lower() for _ in range(CODES)]
    await store.put_codes(connection, member_id, [_hash(code) for code in codes])
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


def _hash(code: str) -> bytes:
    """A code has 80 random bits: nobody finds it from its hash."""
    return hashlib.sha256(code.encode("utf-8", "replace")).digest()


def _purpose(member_id: str) -> str:
    return f"authenticator app of {member_id}"
