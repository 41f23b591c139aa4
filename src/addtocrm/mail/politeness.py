"""How gently mail servers are asked."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import msgspec

PER_HOST = 2
TOTAL = 100
FOR_SINGLE_CALLS = 20
"""Places beyond TOTAL that batches do not use: nobody's batch keeps the single calls of others waiting."""
PAUSE_SECONDS = 0.2
REMEMBERED_HOSTS = 10_000


class HostResting(Exception):
    """The host blocked us lately and is left alone for `seconds` more."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"left alone for {seconds:.0f} s")
        self.seconds = seconds


class Slots(Protocol):
    """Who may connect to a host (an IP address) now."""

    def connection(self, host: str) -> AbstractAsyncContextManager[None]:
        """Waits for its turn, then holds a place while the block runs. Raises HostResting on entry."""
        ...

    async def rest(self, host: str, seconds: float) -> None:
        """Leaves the host alone for that long."""
        ...


class _Host(msgspec.Struct):
    places: asyncio.Semaphore
    waiting: int = 0
    next_start: float = 0
    resting_until: float = 0


class LocalSlots:
    """Places of one process: `per_host` connections to a host, `total` in all, and `pause` seconds between two
    starts to one host."""

    def __init__(self, per_host: int = PER_HOST, total: int = TOTAL, pause: float = PAUSE_SECONDS) -> None:
        self._per_host = per_host
        self._pause = pause
        self._total = asyncio.Semaphore(total)
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def connection(self, host: str) -> AsyncIterator[None]:
        state = self._state(host)
        state.waiting += 1
        try:
            async with state.places, self._total:
                _raise_if_resting(state)
                now = time.monotonic()
                start = max(now, state.next_start)
                state.next_start = start + self._pause
                if start > now:
                    await asyncio.sleep(start - now)
                    _raise_if_resting(state)
                yield
        finally:
            state.waiting -= 1

    async def rest(self, host: str, seconds: float) -> None:
        self.leave_alone(host, seconds)

    def leave_alone(self, host: str, seconds: float) -> None:
        self._state(host).resting_until = time.monotonic() + seconds

    def _state(self, host: str) -> _Host:
        if len(self._hosts) >= REMEMBERED_HOSTS:
            now = time.monotonic()
            for name, state in list(self._hosts.items()):
                if not state.waiting and max(state.next_start, state.resting_until) <= now:
                    del self._hosts[name]
        return self._hosts.setdefault(host, _Host(asyncio.Semaphore(self._per_host)))


def _raise_if_resting(state: _Host) -> None:
    left = state.resting_until - time.monotonic()
    if left > 0:
        raise HostResting(left)
