"""Idempotency-Key: for a day, the same key with the same body is answered as the first time."""

import asyncio
import hashlib
from typing import Any, TypeVar

import msgspec
import structlog

from addtocrm.core.background import repeat
from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.idempotency import store
from addtocrm.core.idempotency.model import Once, Stored
from addtocrm.core.individuals import digests, spoken_of

log = structlog.get_logger()

T = TypeVar("T")

LONGEST = 255
POLL_SECONDS = 0.02
WAIT_SECONDS = 60.0
LET_GO_SECONDS = 1.0
DELETE_SECONDS = 600.0


def fingerprint(method: str, path: str, query: bytes, body: bytes) -> bytes:
    """What makes two requests the same: SHA-256 over the method, the target and the body."""
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), query, body))).digest()


def check_key(key: str) -> None:
    """Raises ApiError for a key that is empty, too long or not printable."""
    if not 0 < len(key) <= LONGEST or not key.isprintable():
        raise invalid("Idempotency-Key", f"must be 1 to {LONGEST} printable characters.")


def done_before(once: Once | None, type: type[T]) -> T | None:
    """What an earlier try of the request did (`keep`), to be given again instead of done again."""
    return msgspec.json.decode(once.outcome, type=type) if once and once.outcome else None


async def keep(connection: Connection, once: Once | None, outcome: Any) -> None:
    """Notes what the request does (JSON-encodable), in the transaction of `connection` that does it.

    What cannot be in a transaction of ours (a call of a vendor) is noted before it is begun, and again with what it
    gave; the next try then knows how far the first one came. Raises ApiError, for the transaction to be rolled back,
    where another process took the request over.
    """
    if once:
        told = msgspec.json.encode(outcome)
        if not await store.keep(connection, once, told.decode(), subjects(told)):
            raise ApiError("internal_error", "Another process is at this request; try again.")


def subjects(told: bytes) -> list[bytes] | None:
    """Whom a stored answer or outcome speaks of, as the column has it; None for nobody and for what is no JSON."""
    try:
        return digests(spoken_of(msgspec.json.decode(told))) or None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


async def take_form(connection: Connection, owner: str, form: bytes) -> bool:
    """Notes a form, by its fingerprint, in the transaction of `connection` that does what it asks. False for a form
    that is sent again within a day, as by a double click."""
    return await store.take(connection, owner, form)


class Idempotency:
    """Carries a request with an Idempotency-Key out once, on whichever host, also after a crash."""

    def __init__(self, pool: Pool, instance: int) -> None:
        self._pool = pool
        self._instance = instance
        self._active: set[tuple[str, str]] = set()
        self._left: dict[tuple[str, str], Once] = {}
        """Requests that ended without their answer stored, and are still this process's in the table."""

    async def begin(self, owner: str, key: str, fingerprint: bytes) -> Once | Stored:
        """Once where this request is to be done now, else the first answer; waits while another does it.

        `owner` is the API key: keys of different owners never meet. After Once, `finish` or `leave` must follow.
        Raises ApiError where the key was used with another request.
        """
        deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
        while True:
            if once := await self._claim(owner, key, fingerprint):
                return once
            row = await store.get(self._pool, owner, key)
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

    async def _claim(self, owner: str, key: str, fingerprint: bytes) -> Once | None:
        if (owner, key) in self._active:
            return None
        self._active.add((owner, key))
        once = None
        try:
            once = await store.claim(self._pool, owner, key, fingerprint, self._instance)
        finally:
            if once is None:
                self._active.discard((owner, key))
        return once

    async def finish(self, once: Once, answer: Stored) -> None:
        """Keeps a final answer (success, not found); any other frees the key where it had no effect."""
        try:
            if answer.status < 300 or answer.status == 404:
                await store.finish(self._pool, once, answer, subjects(answer.body))
            else:
                await store.free(self._pool, once)
        except BaseException:
            self.leave(once)
            raise
        self._active.discard((once.owner, once.key))

    def leave(self, once: Once) -> None:
        """Leaves a request as it stands: its next try goes on with it, here at once, and soon on any host."""
        self._active.discard((once.owner, once.key))
        self._left[once.owner, once.key] = once

    async def _let_go(self) -> None:
        """Gives what was left to whichever host gets its next try."""
        for name, once in list(self._left.items()):
            if name in self._active:  # its next try is under way here
                del self._left[name]
                continue
            self._active.add(name)  # no try begins here meanwhile
            try:
                await store.free(self._pool, once)
                del self._left[name]
            finally:
                self._active.discard(name)

    async def keep_sweeping(self) -> None:
        """Lets go of what was left, and deletes what is older than a day, for as long as the process lives."""
        await asyncio.gather(
            repeat("let_requests_go", LET_GO_SECONDS, self._let_go),
            repeat("delete_answers", DELETE_SECONDS, lambda: store.delete_old(self._pool)),
        )
