"""The turn of each call to a vendor: in this process's queue first, then by the counts that all processes share."""

import asyncio
import itertools
import time
import uuid
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from typing import Any

import structlog
from valkey.exceptions import ValkeyError

from addtocrm.core.db.pool import DATABASE_FAILURES
from addtocrm.core.outgoing.failures import Throttled
from addtocrm.core.outgoing.quotas import Asked, MemoryQuotas, Quotas
from addtocrm.core.outgoing.vendor import Account, Quota

log = structlog.get_logger()

LOST = (*DATABASE_FAILURES, ValkeyError)
AGAIN_SECONDS = 5.0
"""After so long shared counts that were lost are asked again."""
LONGEST_PAUSE = 86_400.0
"""A vendor that says more has made a mistake, such as a time in place of seconds; it is asked again then."""
LONGEST_SLEEP = 1.0
"""A pause may end, or a quota be learnt, while the queue sleeps."""


class _Waiter:
    def __init__(self, quota: Quota, bulk: bool, until: float) -> None:
        self.quota = quota
        self.bulk = bulk
        self.until = until
        self.call = uuid.uuid4().hex
        self.turn: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()


class Limiter:
    """Keeps the calls of every account within its quota. While the shared counts cannot be reached, this process
    counts for itself."""

    def __init__(self, quotas: Quotas) -> None:
        self._shared = quotas
        self._own = MemoryQuotas()
        self._lost = False
        self._asks_again = 0.0
        self._queues: dict[str, list[tuple[bool, int, _Waiter]]] = {}
        self._arrived: dict[str, asyncio.Event] = {}
        self._order = itertools.count()
        self._tasks: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def turn(self, account: Account, quota: Quota, *, bulk: bool, seconds: float) -> AsyncGenerator[None]:
        """Waits up to `seconds` until a request may go out; single calls before bulk. Raises Throttled."""
        waiter = _Waiter(quota, bulk, asyncio.get_running_loop().time() + seconds)
        self._enqueue(account.name, waiter)
        try:
            at = await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.done() and not waiter.turn.cancelled() and waiter.turn.exception() is None:
                self._later(self._end(account.name, waiter, waiter.turn.result()))
            raise
        try:
            yield
        finally:
            self._later(self._end(account.name, waiter, at))

    async def pause(self, account: Account, seconds: float) -> None:
        """Grants nothing to the account for `seconds`, LONGEST_PAUSE at most."""
        seconds = min(seconds, LONGEST_PAUSE)
        await self._own.pause(account.name, seconds)
        if self._counts_alone():
            return
        try:
            await self._shared.pause(account.name, seconds)
        except LOST as error:
            self._say_lost(error)

    async def close(self) -> None:
        """Ends what waits; calls that are under way are counted as ended."""
        keepers = [task for task in self._tasks if task.get_name().startswith("turns ")]
        for task in keepers:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._shared.close()

    def _enqueue(self, account: str, waiter: _Waiter) -> None:
        heappush(self._queues.setdefault(account, []), (waiter.bulk, next(self._order), waiter))
        if account in self._arrived:
            self._arrived[account].set()
            return
        self._arrived[account] = asyncio.Event()
        self._later(self._serve(account), name=f"turns {account}")

    async def _serve(self, account: str) -> None:
        """Gives the account's waiters their turns, until none is left."""
        loop = asyncio.get_running_loop()
        queue, arrived = self._queues[account], self._arrived[account]
        try:
            while queue:
                waiter = queue[0][2]
                if waiter.turn.done():
                    heappop(queue)
                    continue
                arrived.clear()
                asked = await self._ask(account, waiter)
                if asked.wait <= 0:
                    self._grant(account, queue, waiter, asked.at)
                    continue
                self._refuse_late(queue, asked.wait, loop.time())
                try:
                    async with asyncio.timeout(min(asked.wait, LONGEST_SLEEP)):
                        await arrived.wait()
                except TimeoutError:
                    pass
        finally:
            self._queues.pop(account, None)
            self._arrived.pop(account, None)
            for _, _, waiter in queue:
                waiter.turn.cancel()

    def _grant(self, account: str, queue: list[tuple[bool, int, _Waiter]], waiter: _Waiter, at: float) -> None:
        if waiter.turn.done():
            self._later(self._end(account, waiter, at))
        else:
            waiter.turn.set_result(at)
        queue[:] = [one for one in queue if one[2] is not waiter]

    @staticmethod
    def _refuse_late(queue: list[tuple[bool, int, _Waiter]], wait: float, now: float) -> None:
        """Tells those whose time is over before the next turn that it will not come."""
        for _, _, waiter in queue:
            if not waiter.turn.done() and now + wait > waiter.until:
                waiter.turn.set_exception(Throttled("the vendor's quota is used up", wait, passing=False))

    async def _ask(self, account: str, waiter: _Waiter) -> Asked:
        if self._counts_alone():
            return await self._own.take(account, waiter.quota, waiter.call, waiter.bulk)
        try:
            asked = await self._shared.take(account, waiter.quota, waiter.call, waiter.bulk)
        except LOST as error:
            self._say_lost(error)
            return await self._own.take(account, waiter.quota, waiter.call, waiter.bulk)
        if self._lost:
            self._lost = False
            log.info("vendor_quotas_shared_again")
        return asked

    async def _end(self, account: str, waiter: _Waiter, at: float | None) -> None:
        if at is None:
            return
        await self._own.done(account, waiter.quota, waiter.call, at)
        if self._counts_alone():
            return
        try:
            await self._shared.done(account, waiter.quota, waiter.call, at)
        except LOST as error:
            self._say_lost(error)

    def _counts_alone(self) -> bool:
        return self._lost and time.monotonic() < self._asks_again

    def _say_lost(self, error: Exception) -> None:
        self._asks_again = time.monotonic() + AGAIN_SECONDS
        if not self._lost:
            self._lost = True
            log.warning("vendor_quotas_not_shared", error=type(error).__name__)

    def _later(self, work: Coroutine[Any, Any, None], name: str | None = None) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
