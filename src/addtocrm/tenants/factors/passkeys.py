"""The rules of passkeys (WebAuthn level 3): made on a device of the member's, which checks who they are itself."""

import asyncio
import base64
import hashlib
import os
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
import structlog

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.ids import new_id
from addtocrm.tenants.factors import service, store
from addtocrm.tenants.factors.model import Site

log = structlog.get_logger()

CHALLENGE_BYTES = 32
CHALLENGE_LIVES = timedelta(minutes=5)
LONGEST_NAME = 100
REFUSED = "The passkey was not accepted. Try again."

Purpose = Literal["make", "use"]


class Credential(msgspec.Struct, frozen=True):
    """What a browser gives, of which only the name is read here."""

    id: str


def site(base_url: str) -> Site | None:
    """Where passkeys are good; None where browsers make none: at a bare address, and without HTTPS but at localhost."""
    url = urlsplit(base_url)
    host = url.hostname or ""
    try:
        ip_address(host)
    except ValueError:
        secure = url.scheme == "https" or host == "localhost" or host.endswith(".localhost")
        return Site(host, f"{url.scheme}://{url.netloc}") if secure else None
    return None


async def options_to_make(pool: Pool, site: Site, holder: str, member_id: str, email: str) -> str:
    """What a browser is asked to make a passkey (JSON). Only whoever has the secret `holder` can answer, once."""
    known = await store.credentials(pool, member_id)
    challenge = await _challenge(pool, "make", holder)

    def made() -> str:
        from webauthn import generate_registration_options, options_to_json
        from webauthn.helpers import structs

        return options_to_json(
            generate_registration_options(
                rp_id=site.id,
                rp_name=service.ISSUER,
                user_id=member_id.encode(),
                user_name=email,
                challenge=challenge,
                authenticator_selection=structs.AuthenticatorSelectionCriteria(
                    resident_key=structs.ResidentKeyRequirement.REQUIRED,
                    user_verification=structs.UserVerificationRequirement.REQUIRED,
                ),
                exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=one) for one in known],
            )
        )

    return await asyncio.to_thread(made)


async def add(pool: Pool, site: Site, holder: str, member_id: str, credential: str, name: str) -> list[str]:
    """Keeps a passkey that a browser made. Gives recovery codes, where the member has none. Raises ApiError."""
    name = name.strip() or "Passkey"
    if len(name) > LONGEST_NAME:
        raise invalid("name", f"The name has more than {LONGEST_NAME} characters.")
    challenge = await store.take_challenge(pool, _holder("make", holder))

    def verified() -> Any:
        from webauthn import verify_registration_response

        return verify_registration_response(
            credential=credential,
            expected_challenge=challenge or b"",
            expected_rp_id=site.id,
            expected_origin=site.origin,
            require_user_verification=True,
        )

    made = await _verified(verified, challenge)
    async with pool.acquire() as connection, connection.transaction():
        await store.lock(connection, member_id)
        kept = await store.insert_passkey(
            connection,
            new_id("pky"),
            member_id,
            name,
            made.credential_id,
            made.credential_public_key,
            made.sign_count,
        )
        if not kept:
            raise invalid("", REFUSED)
        return await service.missing_codes(connection, member_id)


async def options_to_use(pool: Pool, site: Site, holder: str, member_id: str | None = None) -> str:
    """What a browser is asked to use a passkey: one of a member, or of whoever has one for this site (JSON)."""
    known = await store.credentials(pool, member_id) if member_id else []
    challenge = await _challenge(pool, "use", holder)

    def made() -> str:
        from webauthn import generate_authentication_options, options_to_json
        from webauthn.helpers import structs

        return options_to_json(
            generate_authentication_options(
                rp_id=site.id,
                challenge=challenge,
                allow_credentials=[structs.PublicKeyCredentialDescriptor(id=one) for one in known],
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            )
        )

    return await asyncio.to_thread(made)


async def prove(pool: Pool, site: Site, holder: str, credential: str) -> str:
    """The id of the member whose passkey answered. Raises ApiError `invalid_auth`, also where it was used less often
    than it was before, as a copy would be."""
    challenge = await store.take_challenge(pool, _holder("use", holder))
    known = await store.passkey(pool, _credential_id(credential))
    if known is None:
        raise ApiError("invalid_auth", REFUSED)

    def verified() -> Any:
        from webauthn import verify_authentication_response

        return verify_authentication_response(
            credential=credential,
            expected_challenge=challenge or b"",
            expected_rp_id=site.id,
            expected_origin=site.origin,
            credential_public_key=known.public_key,
            credential_current_sign_count=known.sign_count,
            require_user_verification=True,
        )

    used = await _verified(verified, challenge)
    if not await store.count_use(pool, known.id, used.new_sign_count):
        raise ApiError("invalid_auth", REFUSED)
    return known.member_id


async def remove(pool: Pool, member_id: str, id: str) -> str:
    """Takes a passkey away; gives its name. Raises ApiError `not_found`."""
    async with pool.acquire() as connection, connection.transaction():
        await store.lock(connection, member_id)
        names = await store.delete_passkey(connection, member_id, id)
        if not names:
            raise ApiError("not_found", "There is no such passkey.")
        await service.drop_needless_codes(connection, member_id)
    return names[0]


async def _challenge(pool: Pool, purpose: Purpose, holder: str) -> bytes:
    challenge = os.urandom(CHALLENGE_BYTES)
    await store.put_challenge(pool, _holder(purpose, holder), challenge, CHALLENGE_LIVES)
    return challenge


async def _verified(verify: Callable[[], Any], challenge: bytes | None) -> Any:
    """What the library says of an answer to `challenge`. Raises ApiError for whatever it finds wrong. It is loaded
    when it is needed: that takes longer than all else at the start."""
    if challenge is None:
        raise ApiError("invalid_auth", REFUSED)
    try:
        return await asyncio.to_thread(verify)
    except Exception as error:  # The answer is anybody's: what the library's parsers stumble over is refused, too.
        log.info("passkey_refused", reason=str(error)[:300], kind=type(error).__name__)
        raise ApiError("invalid_auth", REFUSED) from None


def _credential_id(credential: str) -> bytes:
    try:
        id = msgspec.json.decode(credential, type=Credential).id
        return base64.urlsafe_b64decode(f"{id}==")
    except (msgspec.DecodeError, ValueError):
        return b""


def _holder(purpose: Purpose, secret: str) -> bytes:
    return hashlib.sha256(f"{purpose}:{secret}".encode()).digest()
