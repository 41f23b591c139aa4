"""Items of jobs that go to one CRM are written together, as many at a time as it takes."""

import asyncio
import hashlib
from collections import deque
from contextlib import nullcontext
from typing import Any

import msgspec

from addtocrm.core.caller import Caller
from addtocrm.core.errors import ApiError
from addtocrm.crm import contacts, registry
from addtocrm.crm.contacts import Asked
from addtocrm.crm.model import ContactWrite, WriteResult
from addtocrm.crm.opening import Expected
from addtocrm.crm.setup import Setup

AT_ONCE = 400
"""Items of all jobs of a kind that are under way in a process."""
GROUPS_AT_ONCE = 3
"""Groups of one account that are written at a time."""
BUILTIN_AT_ONCE = 4
"""Writes to the built-in CRM at a time; each holds a connection to the database."""
GATHER_SECONDS = 0.02
LOST_AT_MOST = 20_000
"""So many items are known to have been lost with others; of more, the oldest are forgotten."""


class _Item(msgspec.Struct, eq=False):
    asked: Asked
    result: "asyncio.Future[WriteResult | ApiError]"


class _Queue(msgspec.Struct, eq=False):
    """What is to be written to one CRM of an account, and how many are at it."""

    items: deque[_Item] = msgspec.field(default_factory=deque[_Item])
    busy: int = 0


class Gatherer:
    """Gathers items that are asked one by one."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._queues: dict[tuple[str, Expected], _Queue] = {}
        self._builtin = asyncio.Semaphore(BUILTIN_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._lost: dict[bytes, int] = {}
        """How often an item was lost with others: each time it goes in a group of half the size, so that one record at
        which the CRM fails stops in the end none but itself."""

    async def put(self, caller: Caller, expected: Expected, write: ContactWrite) -> WriteResult:
        """As `contacts.upsert`, with others. Cancelled, it gives up what has not begun, else the result."""
        key = (caller.account_id, expected)
        queue = self._queues.setdefault(key, _Queue())
        item = _Item(Asked(caller, write), asyncio.get_running_loop().create_future())
        queue.items.append(item)
        if queue.busy < GROUPS_AT_ONCE:
            self._start(key, queue)
        try:
            result = await asyncio.shield(item.result)
        except asyncio.CancelledError:
            if item in queue.items:
                queue.items.remove(item)
                raise
            result = await item.result
        if isinstance(result, ApiError):
            raise result
        return result

    def _start(self, key: tuple[str, Expected], queue: _Queue) -> None:
        queue.busy += 1
        task = asyncio.create_task(self._work(key, queue))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, key: tuple[str, Expected], queue: _Queue) -> None:
        account_id, expected = key
        definition = registry.load().get(expected.crm or "")
        try:
            await asyncio.sleep(GATHER_SECONDS)
            while queue.items:
                most = definition.batch if definition else 1
                await self._write(account_id, expected, self._group(account_id, queue.items, most))
        finally:
            queue.busy -= 1
            if not queue.items and not queue.busy:
                self._queues.pop(key, None)

    def _group(self, account_id: str, items: deque[_Item], most: int) -> list[_Item]:
        """The next items that go together, one at least."""
        group: list[_Item] = []
        while items:
            most = min(most, max(1, most >> self._lost.get(_known_as(account_id, items[0]), 0)))
            if len(group) >= most:
                break
            group.append(items.popleft())
        return group

    def _learn(self, account_id: str, group: list[_Item], outcomes: list[Any]) -> None:
        for item, outcome in zip(group, outcomes, strict=True):
            name = _known_as(account_id, item)
            if not isinstance(outcome, ApiError) or outcome.type != "crm_unavailable":
                self._lost.pop(name, None)
            elif len(group) > 1:
                self._lost[name] = self._lost.pop(name, 0) + 1
                if len(self._lost) > LOST_AT_MOST:
                    del self._lost[next(iter(self._lost))]

    async def _write(self, account_id: str, expected: Expected, group: list[_Item]) -> None:
        asked = [item.asked for item in group]
        try:
            async with self._builtin if expected.crm in ("builtin", None) else nullcontext():
                outcomes = await contacts.upsert_many(self._setup, account_id, expected, asked)
        except ApiError as error:
            outcomes = [error] * len(group)
        except Exception as error:
            for item in group:
                item.result.set_exception(error)
            return
        self._learn(account_id, group, outcomes)
        for item, outcome in zip(group, outcomes, strict=True):
            item.result.set_result(outcome)


def _known_as(account_id: str, item: _Item) -> bytes:
    return hashlib.blake2b(account_id.encode() + msgspec.json.encode(item.asked.write), digest_size=16).digest()
