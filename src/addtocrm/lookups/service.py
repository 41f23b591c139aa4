"""The pipeline: normalise (the caller does) → cache → hold → single flight → work → settle → event."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from weakref import WeakValueDictionary

import msgspec
import structlog

from addtocrm.core import metrics
from addtocrm.core.background import repeat
from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import DATABASE_FAILURES, Pool
from addtocrm.core.errors import ApiError
from addtocrm.core.idempotency import service as idempotency
from addtocrm.core.ids import new_id
from addtocrm.lookups import store
from addtocrm.lookups.hot import HotResults
from addtocrm.lookups.model import Answer, CaptureState, Charged, Operation, Outcome, Ref, Refresh
from addtocrm.tenants.usage.service import Saved

log = structlog.get_logger()

Work = Callable[[], Awaitable[Outcome | None]]
Accept = Callable[[bytes], bool]

BUSY_POLL_SECONDS = 0.02
BUSY_SECONDS = 60.0
BUSY_RETRY_SECONDS = 10
CLOCKS_APART = timedelta(seconds=2)
"""How far those of hosts may be from the database's."""
SWEEP_SECONDS = 2.0


class Settled(msgspec.Struct, frozen=True):
    """How a flight ended: its result and whether that was in the cache already. `data` None: no match."""

    data: bytes | None
    cached: bool
    billed: int
    available: int


class Lookups:
    """Runs look-ups so that each costs at most one credit and one call of its work, here and on other hosts."""

    def __init__(
        self,
        pool: Pool,
        instance: int,
        cache_days: float,
        hot: HotResults,
        balances: dict[str, int],
        saved: Saved,
    ) -> None:
        self.hot = hot
        self.saved = saved
        self._pool = pool
        self._instance = instance
        self._lifetime = timedelta(days=cache_days)
        self._balances = balances
        self._flights: dict[tuple[Ref, str], asyncio.Task[Settled]] = {}
        self._holds: set[str] = set()
        self._returned: WeakValueDictionary[str, asyncio.Condition] = WeakValueDictionary()

    async def run(
        self,
        caller: Caller,
        operation: Operation,
        key: str,
        work: Work,
        *,
        refresh: Refresh = False,
        accept: Accept | None = None,
        variant: str = "",
        subjects: Sequence[bytes] = (),
    ) -> Answer | None:
        """The answer to a look-up, or None where nothing matches (which costs nothing).

        `key` is the normalised question: what has the same key is the same look-up. `accept` refuses a cached
        result that lacks what this request asks for (then `variant` tells such requests apart). `subjects` are whom
        it asks for, as `suppressions` names them: nothing matches where one of them asked to be forgotten.
        Raises ApiError `insufficient_credits`; whatever `work` raises goes through, and costs nothing.
        """
        if before := idempotency.done_before(caller.once, Charged):
            return Answer(bytes(before.data), False, 1, before.credits_remaining)
        ref = Ref.of(caller.account_id, operation, key)
        if not refresh and (data := self.hot.get(ref)) is not None and (accept is None or accept(data)):
            metrics.CACHE.labels(operation.name, "hit").inc()
            self.saved.add(caller.account_id, operation.name, caller.actor)
            return Answer(data, True, 0, self._balances.get(ref.account_id, 0))
        same = (ref, f"{refresh}{variant}")
        leading = same not in self._flights
        if leading:
            flight = asyncio.create_task(self._fly(caller, operation, ref, work, refresh, accept, subjects))
            self._flights[same] = flight
            flight.add_done_callback(lambda _: self._flights.pop(same, None))
        else:
            flight = self._flights[same]
        settled = await asyncio.shield(flight)
        if settled.data is None:
            return None
        cached = settled.cached or (not leading and settled.billed > 0)
        metrics.CACHE.labels(operation.name, "hit" if cached else "miss").inc()
        if cached:
            self.saved.add(caller.account_id, operation.name, caller.actor)
        billed = settled.billed if leading else 0
        return Answer(settled.data, cached, billed, settled.available)

    async def kept(self, account_id: str, operation: Operation, key: str) -> bytes | None:
        """The result of a look-up that is in the cache; never asks, never costs."""
        ref = Ref.of(account_id, operation, key)
        if data := self.hot.get(ref):
            return data
        found = await store.kept(self._pool, ref)
        return found.encode() if found else None

    async def cached(self, account_id: str, operation: Operation, keys: Sequence[str]) -> int:
        """How many of the look-ups with these keys are in the cache, and so free."""
        refs = {Ref.of(account_id, operation, key).key for key in keys}
        return len(await store.cached(self._pool, account_id, operation.name, list(refs)))

    def free(self, caller: Caller, data: bytes) -> Answer:
        """An answer that needed no look-up: it is free, also where no credits are left."""
        return Answer(data, False, 0, self._balances.get(caller.account_id, 0))

    async def _fly(
        self,
        caller: Caller,
        operation: Operation,
        ref: Ref,
        work: Work,
        refresh: Refresh,
        accept: Accept | None,
        subjects: Sequence[bytes],
    ) -> Settled:
        outcome: Outcome | None = None
        while True:
            hold_id = new_id("hld")
            self._holds.add(hold_id)
            try:
                cached = await self._hold(hold_id, ref, caller, refresh, accept, subjects)
                if cached is not None:
                    return cached
                outcome = outcome or await self._ask(hold_id, ref, work)
                settled = await self._settle(hold_id, ref, caller, operation, outcome)
            finally:
                self._holds.discard(hold_id)
            if settled is not None:
                return settled
            log.warning("hold_lost", operation=operation.name)

    async def _hold(
        self,
        hold_id: str,
        ref: Ref,
        caller: Caller,
        refresh: Refresh,
        accept: Accept | None,
        subjects: Sequence[bytes],
    ) -> Settled | None:
        """Places the hold (None), or gives the cached result; waits while another host is at it."""
        deadline = asyncio.get_running_loop().time() + BUSY_SECONDS
        since = datetime.now(UTC) - CLOCKS_APART
        while True:
            version = self.hot.version
            claim = await store.claim(self._pool, hold_id, ref, caller, self._instance, refresh, subjects)
            self._balances[ref.account_id] = claim.available
            match claim.state:
                case "held":
                    return None
                case "cached":
                    assert claim.data is not None and claim.expires_at is not None
                    data = claim.data.encode()
                    if accept is None or accept(data):
                        self.hot.put(ref, data, claim.expires_at, version)
                        return Settled(data, not claim.paid, 1 if claim.paid else 0, claim.available)
                    refresh = True
                case "suppressed":
                    return Settled(None, False, 0, claim.available)
                case "insufficient":
                    raise ApiError(
                        "insufficient_credits",
                        "No credits are left in this period; the answer costs 1. Upgrade, or wait for the next period.",
                    )
                case "busy":
                    refresh = since if refresh is True else refresh
                    if asyncio.get_running_loop().time() > deadline:
                        raise ApiError(
                            "internal_error",
                            "The same lookup is still under way; try again after `retry_after_seconds`.",
                            retry_after_seconds=BUSY_RETRY_SECONDS,
                        )
                    await asyncio.sleep(BUSY_POLL_SECONDS)

    async def _ask(self, hold_id: str, ref: Ref, work: Work) -> Outcome | None:
        """Does the work; releases the hold unless what it found costs a credit."""
        outcome: Outcome | None = None
        try:
            outcome = await work()
        finally:
            if outcome is None or not outcome.billable:
                await self._release(hold_id, ref)
        return outcome

    async def _settle(
        self, hold_id: str, ref: Ref, caller: Caller, operation: Operation, outcome: Outcome | None
    ) -> Settled | None:
        """Captures the hold of an outcome that costs a credit; None where the hold was lost meanwhile."""
        if outcome is None or not outcome.billable:
            return Settled(outcome and outcome.data, False, 0, self._balances.get(ref.account_id, 0))
        expires_at = datetime.now(UTC) + self._lifetime
        version = self.hot.version
        state, available = await self._capture(hold_id, caller, operation, outcome, expires_at)
        if state == "lost":
            return None
        self._balances[ref.account_id] = available
        if state == "suppressed":
            return Settled(None, False, 0, available)
        self.hot.put(ref, outcome.data, expires_at, version)
        metrics.CREDITS.labels(operation.name).inc()
        return Settled(outcome.data, False, 1, available)

    async def _capture(
        self, hold_id: str, caller: Caller, operation: Operation, outcome: Outcome, expires_at: datetime
    ) -> tuple[CaptureState, int]:
        """One statement; with an Idempotency-Key, one transaction that keeps the answer with it."""
        event = (new_id("evt"), operation.event, caller.actor, msgspec.json.encode(outcome.event).decode())
        captured = (hold_id, new_id("led"), event, outcome.data.decode(), expires_at, outcome.subjects)
        if caller.once is None:
            return await store.capture(self._pool, *captured)
        async with self._pool.acquire() as connection, connection.transaction():
            state, available = await store.capture(connection, *captured)
            if state == "captured":
                await idempotency.keep(connection, caller.once, Charged(msgspec.Raw(outcome.data), available))
            return state, available

    async def _release(self, hold_id: str, ref: Ref) -> None:
        try:
            available = await store.release(self._pool, hold_id)
        except DATABASE_FAILURES as error:
            log.warning("release_left_to_sweep", error=type(error).__name__)
        else:
            if available is not None:
                self._balances[ref.account_id] = available
            if returned := self._returned.get(ref.account_id):
                async with returned:
                    returned.notify()

    def returned(self, account_id: str) -> asyncio.Condition:
        """Wakes one of those who wait whenever a credit that a look-up held here is given back."""
        return self._returned.setdefault(account_id, asyncio.Condition())

    async def may_have_credits(self, account_id: str) -> bool:
        """Whether the account has credits, or look-ups under way anywhere hold some that may come back."""
        return await store.may_have_credits(self._pool, account_id)

    async def sweep(self) -> None:
        """Releases the holds that nobody will settle any more."""
        noted = await store.holds_of(self._pool, self._instance)
        # A hold is in `_holds` before it is in the table: one that is there and no longer here is nobody's.
        lost = [id for id in noted if id not in self._holds]
        released = await store.release_lost(self._pool, self._instance, lost)
        if released:
            log.warning("holds_released", holds=released)

    async def keep_sweeping(self) -> None:
        """Sweeps for as long as the process lives, and drops results past their time."""

        async def work() -> None:
            await self.sweep()
            await store.delete_expired(self._pool)

        await repeat("sweep_holds", SWEEP_SECONDS, work)

    async def drain(self) -> None:
        """Waits for what is under way."""
        while self._flights:
            await asyncio.gather(*self._flights.values(), return_exceptions=True)
