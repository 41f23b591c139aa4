"""The rules of sessions: a secret token in a cookie, of which only the hash is kept."""

import hashlib
import secrets
from datetime import timedelta

from addtocrm.core.background import repeat
from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.errors import ApiError
from addtocrm.core.ids import new_id
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.factors import service as factors
from addtocrm.tenants.members import service as members
from addtocrm.tenants.members.model import Member
from addtocrm.tenants.sessions import store
from addtocrm.tenants.sessions.model import Session, Signed

IDLE = timedelta(days=30)
"""A session that is not used for so long has ended."""
LONGEST = timedelta(days=180)
"""After so long it has ended, however much it is used."""
HALF = timedelta(minutes=10)
"""For so long the second step waits for who gave their password."""
TOUCHED = timedelta(minutes=1)
DELETE_SECONDS = 3600.0
LONGEST_AGENT = 300
SIGNED_OUT = "You were signed out everywhere while you signed in. Sign in again."


async def begin(pool: Pool, member: Member, address: str, agent: str) -> str:
    """The token of a new session. Raises ApiError where the `member` was signed out everywhere since they were read."""
    token = secrets.token_urlsafe(32)
    if not await store.insert(pool, _hash(token), new_id("ses"), member, address, agent[:LONGEST_AGENT]):
        raise ApiError("invalid_auth", SIGNED_OUT)
    return token


async def find(pool: Pool, token: str) -> tuple[Signed | None, bool]:
    """Who is signed in by this token, None for nobody; and whether the session lives longer by this use of it."""
    found = await store.find(pool, _hash(token), IDLE, LONGEST)
    return found, found is not None and await store.touch(pool, _hash(token), TOUCHED)


async def begin_half(pool: Pool, member: Member) -> str:
    """A token that says no more than that a member gave their password, and has the second step before them. Raises
    ApiError as `begin`."""
    token = secrets.token_urlsafe(32)
    if not await store.insert_half(pool, _hash(token), member, HALF):
        raise ApiError("invalid_auth", SIGNED_OUT)
    return token


async def half(pool: Pool, token: str) -> str | None:
    """The id of the member who has the second step before them."""
    return await store.half(pool, _hash(token))


async def end_half(pool: Pool, token: str) -> bool:
    """Uses the token up, with the second step done; False where it is used or too old."""
    return await store.take_half(pool, _hash(token))


async def confirm(pool: Pool, id: str) -> None:
    """Notes that whoever is signed in has just proved it again."""
    await store.confirm(pool, id)


async def of_member(pool: Pool, member_id: str) -> list[Session]:
    """Where a member is signed in, the last used first."""
    return await store.of_member(pool, member_id, IDLE, LONGEST)


async def end(pool: Pool, member_id: str, id: str) -> bool:
    """Signs one session of a member out; False where there is none."""
    return await store.delete(pool, member_id, id, None) > 0


async def end_others(pool: Pool | Connection, member_id: str, but: str | None = None) -> int:
    """Signs a member out everywhere `but` in one session, also where they are about to sign in; gives in how many."""
    await members.note_signed_out(pool, member_id)
    await store.delete_halves(pool, member_id)
    return await store.delete(pool, member_id, None, but)


async def reset_second_step(pool: Pool, member: Member, actor: str, address: str) -> None:
    """Takes the second step from a member who lost what it needs, and signs them out everywhere: somebody else may have
    it. Who did so, from which address, is in the audit trail."""
    async with pool.acquire() as connection, connection.transaction():
        await factors.reset(connection, member.id)
        await end_others(connection, member.id)
        await audit.note(connection, member.account_id, actor, "second_step.reset", address, email=member.email)


async def keep_deleting(pool: Pool) -> None:
    """Deletes sessions, and what leads to one, that have ended, for as long as the process lives."""

    async def delete() -> None:
        await store.delete_ended(pool, IDLE, LONGEST)
        await factors.delete_expired(pool)
        await audit.delete_failures(pool)

    await repeat("delete_sessions", DELETE_SECONDS, delete)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
