"""Whose turn it is: the places of a kind of job go round the accounts, then round an account's jobs."""

import asyncio
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec

from addtocrm.core.caller import Caller
from addtocrm.jobs.kind import Kind

GUARANTEED_PART = 8
"""This part of a kind's places every account has, also when the others have filled them all."""
NARROWING = 8
"""Of items that were under way when a process died, so much fewer are under way at a time for each death."""
BEGINNING = (datetime(1970, 1, 1, tzinfo=UTC), -1)


class Carried(msgspec.Struct, eq=False):
    """A job in the hands of this process."""

    id: str
    kind: Kind
    caller: Caller
    options: dict[str, Any]
    since: datetime
    taken_at: float
    ready: deque[asyncpg.Record] = msgspec.field(default_factory=deque[asyncpg.Record])
    """Items that may be begun, as `store.due` gives them."""
    active: dict[int, "asyncio.Task[None]"] = msgspec.field(default_factory=dict[int, "asyncio.Task[None]"])
    unsettled: set[int] = msgspec.field(default_factory=set[int])
    """Positions of items that were done and whose outcome is not written yet."""
    tries: dict[int, int] = msgspec.field(default_factory=dict[int, int])
    """How often items failed on our side."""
    after: tuple[datetime, int] = BEGINNING
    """How far the items were looked through."""
    dry: bool = False
    """No further item is due."""
    rests_until: float = 0.0
    """Nothing of it is begun before."""
    leaving: bool = False
    """Nothing of it is begun any more."""
    stopped: bool = False
    """What is under way was asked to end."""
    error: str | None = None
    """Why it ends as failed."""
    work: "asyncio.Task[None] | None" = None
    """What is being done about the job as a whole: more items are fetched, or it is let go."""

    @property
    def idle(self) -> bool:
        """Whether nothing of it is under way."""
        return not self.active and not self.unsettled and self.work is None


class Suspects:
    """Items under way in this process that were so when another died: the oftener, the fewer of them at a time, so that
    the one at fault is soon alone, and no other is under way at each of its deaths."""

    def __init__(self) -> None:
        self._widths: list[int] = []

    def admit(self, deaths: int, at_once: int) -> bool:
        """Whether an item may be begun, in a lane of so many places."""
        return deaths == 0 or len(self._widths) < min([_width(deaths, at_once), *self._widths])

    def begin(self, deaths: int, at_once: int) -> None:
        if deaths:
            self._widths.append(_width(deaths, at_once))

    def end(self, deaths: int, at_once: int) -> None:
        if deaths:
            self._widths.remove(_width(deaths, at_once))


def _width(deaths: int, at_once: int) -> int:
    return max(at_once // NARROWING**deaths, 1)


class _Account:
    """One account's jobs of a kind, and how many of their items are under way."""

    def __init__(self) -> None:
        self.jobs: deque[Carried] = deque()
        self.busy = 0
        self.served = 0


class Lane:
    """The places of one kind of job."""

    def __init__(self, at_once: int, suspects: Suspects) -> None:
        self._at_once = at_once
        self._suspects = suspects
        self._guaranteed = max(at_once // GUARANTEED_PART, 1)
        self._accounts: dict[str, _Account] = {}
        self._busy = 0
        self._served = 0

    def __iter__(self) -> Iterator[Carried]:
        return (job for account in self._accounts.values() for job in account.jobs)

    def add(self, job: Carried) -> None:
        self._accounts.setdefault(job.caller.account_id, _Account()).jobs.append(job)

    def remove(self, job: Carried) -> None:
        account = self._accounts[job.caller.account_id]
        account.jobs.remove(job)
        if not account.jobs:
            del self._accounts[job.caller.account_id]

    def begin(self, now: float) -> Carried | None:
        """The job of which an item is to be begun, None where there is no place or no item.

        It is one of the account with the fewest under way; an account that has fewer than its guaranteed part needs no
        free place, so that nobody waits for what takes others long.
        """
        hungry = [one for one in self._accounts.values() if any(self._can_begin(job, now) for job in one.jobs)]
        if not hungry:
            return None
        account = min(hungry, key=lambda one: (one.busy, one.served))
        if self._busy >= self._at_once and account.busy >= self._guaranteed:
            return None
        while not self._can_begin(account.jobs[0], now):
            account.jobs.rotate(-1)
        job = account.jobs[0]
        account.jobs.rotate(-1)
        self._served += 1
        account.served = self._served
        account.busy += 1
        self._busy += 1
        self._suspects.begin(job.ready[0]["deaths"], self._at_once)
        return job

    def end(self, job: Carried, deaths: int) -> None:
        """An item of the job is no longer under way."""
        self._accounts[job.caller.account_id].busy -= 1
        self._busy -= 1
        self._suspects.end(deaths, self._at_once)

    def share(self) -> int:
        """How many items of each job may be under way where all want their part."""
        jobs = sum(len(account.jobs) for account in self._accounts.values())
        return max(self._at_once // max(jobs, 1), 1)

    def _can_begin(self, job: Carried, now: float) -> bool:
        if not job.ready or job.leaving or job.rests_until > now:
            return False
        return self._suspects.admit(job.ready[0]["deaths"], self._at_once)
