"""The rules of sessions: a secret token in a cookie, of which only the hash is kept."""

import hashlib
import secrets
from datetime import timedelta

from addtocrm.core.background import repeat
from addtocrm.core.db.pool import Pool
from addtocrm.core.ids import new_id
from addtocrm.tenants.sessions import store
from addtocrm.tenants.sessions.model import Session, Signed

IDLE = timedelta(days=30)
"""A session that is not used for so long has ended."""
TOUCHED = timedelta(minutes=1)
DELETE_SECONDS = 3600.0
LONGEST_AGENT = 300


async def begin(pool: Pool, member_id: str, address: str, agent: str) -> str:
    """The token of a new session."""
    token = secrets.token_urlsafe(32)
    await store.insert(pool, _hash(token), new_id("ses"), member_id, address, agent[:LONGEST_AGENT])
    return token


async def find(pool: Pool, token: str) -> Signed | None:
    """Who is signed in by this token; None for nobody."""
    found = await store.find(pool, _hash(token), IDLE)
    if found:
        await store.touch(pool, _hash(token), TOUCHED)
    return found


async def confirm(pool: Pool, id: str) -> None:
    """Notes that whoever is signed in has just proved it again."""
    await store.confirm(pool, id)


async def of_member(pool: Pool, member_id: str) -> list[Session]:
    """Where a member is signed in, the last used first."""
    return await store.of_member(pool, member_id, IDLE)


async def end(pool: Pool, member_id: str, id: str) -> bool:
    """Signs one session of a member out; False where there is none."""
    return await store.delete(pool, member_id, id, None) > 0


async def end_others(pool: Pool, member_id: str, but: str | None = None) -> int:
    """Signs a member out everywhere `but` in one session; gives in how many."""
    return await store.delete(pool, member_id, None, but)


async def keep_deleting(pool: Pool) -> None:
    """Deletes sessions and links that have ended, for as long as the process lives."""
    await repeat("delete_sessions", DELETE_SECONDS, lambda: store.delete_idle(pool, IDLE))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
