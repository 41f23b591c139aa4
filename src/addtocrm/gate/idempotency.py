"""Idempotency-Key: for a day, the same key with the same body is answered as the first time."""

import asyncio
import hashlib

import asyncpg
import msgspec
import structlog

from addtocrm.db.pool import Pool
from addtocrm.errors import ApiError, invalid

log = structlog.get_logger()

KEEP = "24 hours"
LONGEST = 255
POLL_SECONDS = 0.02
WAIT_SECONDS = 60.0
SWEEP_SECONDS = 600.0


class Stored(msgspec.Struct, frozen=True):
    status: int
    content_type: str
    body: bytes


def fingerprint(method: str, path: str, query: bytes, body: bytes) -> bytes:
    """What makes two requests the same: SHA-256 over the method, the target and the body."""
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), query, body))).digest()


def check_key(key: str) -> None:
    """Raises ApiError for a key that is empty, too long or not printable."""
    if not 0 < len(key) <= LONGEST or not key.isprintable():
        raise invalid("Idempotency-Key", f"must be 1 to {LONGEST} printable characters.")


class Idempotency:
    """Carries a request with an Idempotency-Key out once, on whichever host, also after a crash."""

    def __init__(self, pool: Pool, instance: int) -> None:
        self._pool = pool
        self._instance = instance
        self._active: set[tuple[str, str]] = set()

    async def begin(self, owner: str, key: str, fingerprint: bytes) -> Stored | None:
        """None where this request is to be done now, else the first answer; waits while another does it.

        `owner` is the API key: keys of different owners never meet. After None, `finish` or `free` must follow.
        Raises ApiError where the key was used with another request.
        """
        deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
        while True:
            if await self._claim(owner, key, fingerprint):
                return None
            row = await self._pool.fetchrow(
                "select fingerprint, status, content_type, body from idempotency where (owner, key) = ($1, $2)",
                owner,
                key,
            )
            if row is None:
                continue
            if row["fingerprint"] != fingerprint:
                raise invalid("Idempotency-Key", "was used with another request; take a new key for a new request.")
            if row["status"] is not None:
                return Stored(row["status"], row["content_type"], row["body"])
            if asyncio.get_running_loop().time() > deadline:
                raise ApiError(
                    "internal_error",
                    "The first request with this Idempotency-Key is still under way; try again.",
                )
            await asyncio.sleep(POLL_SECONDS)

    async def _claim(self, owner: str, key: str, fingerprint: bytes) -> bool:
        """Whether the key is ours to use: new, older than a day, or left by a process that died."""
        if (owner, key) in self._active:
            return False
        self._active.add((owner, key))
        won = False
        try:
            won = await self._pool.fetchval(
                f"""insert into idempotency as i (owner, key, fingerprint, instance) values ($1, $2, $3, $4)
                    on conflict (owner, key) do update
                    set fingerprint = excluded.fingerprint, instance = excluded.instance,
                        status = null, body = null, created_at = now()
                    where i.created_at < now() - interval '{KEEP}'
                       or (i.status is null and i.fingerprint = excluded.fingerprint
                           and (i.instance = $4 or instance_is_dead(i.instance)))
                    returning true""",
                owner,
                key,
                fingerprint,
                self._instance,
            )
        finally:
            if not won:
                self._active.discard((owner, key))
        return bool(won)

    async def finish(self, owner: str, key: str, answer: Stored) -> None:
        """Keeps a final answer (success, not found); any other frees the key, since it had no effect."""
        if answer.status >= 300 and answer.status != 404:
            await self.free(owner, key)
            return
        try:
            await self._pool.execute(
                """update idempotency set status = $3, content_type = $4, body = $5, instance = null
                   where (owner, key) = ($1, $2)""",
                owner,
                key,
                answer.status,
                answer.content_type,
                answer.body,
            )
        finally:
            self._active.discard((owner, key))

    async def free(self, owner: str, key: str) -> None:
        """Forgets a key whose request was not carried through."""
        try:
            await self._pool.execute(
                "delete from idempotency where (owner, key) = ($1, $2) and status is null", owner, key
            )
        finally:
            self._active.discard((owner, key))

    async def keep_sweeping(self) -> None:
        """Deletes what is older than a day, for as long as the process lives."""
        while True:
            try:
                await self._pool.execute(f"delete from idempotency where created_at < now() - interval '{KEEP}'")
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("sweep_failed", error=type(error).__name__)
            await asyncio.sleep(SWEEP_SECONDS)
