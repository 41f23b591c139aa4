"""Brings together those who ask about one domain at the same time, so that a connection serves several."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any
from weakref import WeakValueDictionary

import msgspec

from addtocrm.mail.engine import BUDGET_SECONDS, RECIPIENTS_PER_CONNECTION, Engine
from addtocrm.mail.inquiry import Inquiry, conclude, conclude_invalid
from addtocrm.mail.model import Checked
from addtocrm.mail.politeness import PER_HOST
from addtocrm.mail.replies import Reply
from addtocrm.mail.smtp import Deadline
from addtocrm.mail.syntax import Address, parse

AHEAD = 2
"""Full connections of a domain that are ready behind each open one, and that one."""


class Withdrawn(Exception):
    """Who asked about the address has taken the question back."""


class Manner(msgspec.Struct, frozen=True):
    """How a desk serves: in `gather_seconds` others may come before a connection is begun that is not full.

    The `patient` wait for as long as the work takes, `budget_seconds` of it at a server; others are answered within
    these, and asked about again where a server puts them off for less.
    """

    budget_seconds: float
    gather_seconds: float
    patient: bool


SINGLE = Manner(BUDGET_SECONDS, 0, patient=False)
BULK = Manner(120.0, 1.0, patient=True)


class _Asker(msgspec.Struct, eq=False):
    """Somebody who waits for the word on an address; `inquiry` is the one that it is part of, if any yet."""

    text: str
    address: Address
    deadline: Deadline
    answer: "asyncio.Future[Checked]"
    inquiry: Inquiry | None = None


class _Domain(msgspec.Struct):
    """Who waits for an answer about a domain, and the visits under way."""

    waiting: deque[_Asker] = msgspec.field(default_factory=deque[_Asker])
    visits: "list[_Visit]" = []
    gathering: asyncio.TimerHandle | None = None

    def waits(self) -> bool:
        """Whether anybody waits who still wants to know."""
        while self.waiting and self.waiting[0].answer.done():
            self.waiting.popleft()
        return bool(self.waiting)


class _Visit:
    """One connection after another to the servers of a domain, for those who wait when the first one is open."""

    def __init__(self, name: str, domain: _Domain, budget_seconds: float, serve: Callable[[], None]) -> None:
        self.inquiry = Inquiry(name, [])
        self.deadline = Deadline(budget_seconds)
        self.askers: list[_Asker] = []
        self.begun = False
        self._domain = domain
        self._serve = serve

    def waits(self) -> bool:
        return any(not asker.answer.done() for asker in self.askers) if self.begun else self._domain.waits()

    def join(self) -> list[Address]:
        self.take(RECIPIENTS_PER_CONNECTION)
        self._serve()
        return list({asker.address.email: asker.address for asker in self.askers}.values())

    def heard(self) -> None:
        """Gives the answers that nothing can change any more."""
        for asker in self.askers:
            if not asker.answer.done() and self.inquiry.is_settled(asker.address):
                checked = conclude(self.inquiry, asker.address)
                if checked.verification.result != "unknown":
                    asker.answer.set_result(checked)

    def take(self, at_most: int) -> None:
        """Makes those who have waited longest part of the visit."""
        self.begun = True
        while at_most and self._domain.waits():
            asker = self._domain.waiting.popleft()
            asker.inquiry = self.inquiry
            self.askers.append(asker)
            at_most -= 1


class Desk:
    """Verifies single addresses, those of a domain together."""

    def __init__(self, engine: Engine, manner: Manner) -> None:
        self._engine = engine
        self._manner = manner
        self._domains: dict[str, _Domain] = {}
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    async def check_one(self, address: str) -> Checked:
        """As `Engine.check` for one address, together with others of its domain that are asked for meanwhile.

        Raises Withdrawn.
        """
        parsed = parse(address)
        if parsed is None:
            return conclude_invalid(address)
        answer: asyncio.Future[Checked] = asyncio.get_running_loop().create_future()
        asker = _Asker(address, parsed, Deadline(self._manner.budget_seconds), answer)
        self._wait(asker)
        if self._manner.patient:
            return await answer
        try:
            async with asyncio.timeout(self._manner.budget_seconds):
                return await answer
        except TimeoutError:
            return conclude(asker.inquiry or self._not_yet(parsed), parsed)

    def turn(self, address: str) -> asyncio.Semaphore:
        """To be held while an address is asked for: so many of a domain may be, as can be served one after another
        by its connections; the others wait without a credit held."""
        parsed = parse(address)
        name = parsed.domain if parsed else ""
        return self._turns.setdefault(name, asyncio.Semaphore(AHEAD * PER_HOST * RECIPIENTS_PER_CONNECTION))

    def withdraw(self, address: str) -> None:
        """Takes back what waits for its turn: whoever awaits the answer gets Withdrawn. What is begun goes on."""
        parsed = parse(address)
        domain = self._domains.get(parsed.domain) if parsed else None
        for asker in domain.waiting if domain else ():
            if asker.text == address and not asker.answer.done():
                asker.answer.set_exception(Withdrawn())

    def _wait(self, asker: _Asker) -> None:
        name = asker.address.domain
        domain = self._domains.setdefault(name, _Domain())
        domain.waiting.append(asker)
        for visit in domain.visits:
            if not visit.begun:
                visit.deadline.at_least(self._manner.budget_seconds)
        self._serve(name, domain)

    def _not_yet(self, address: Address) -> Inquiry:
        """What is known of an address whose turn has not come."""
        domain = self._domains.get(address.domain)
        seen = domain.visits[0].inquiry if domain and domain.visits else Inquiry(address.domain, [])
        return Inquiry(address.domain, [], ended=Reply("timeout"), mx_host=seen.mx_host, provider=seen.provider)

    def _serve(self, name: str, domain: _Domain) -> None:
        """Begins a visit for a full connection at once, and for less when the others have had time to come."""
        to_come = sum(not visit.begun for visit in domain.visits)
        over = len(domain.waiting) - to_come * RECIPIENTS_PER_CONNECTION
        if over <= 0 or len(domain.visits) == PER_HOST or not domain.waits():
            return
        if over >= RECIPIENTS_PER_CONNECTION or not self._manner.gather_seconds:
            self._begin(name, domain)
        elif domain.gathering is None:
            loop = asyncio.get_running_loop()
            domain.gathering = loop.call_later(self._manner.gather_seconds, self._begin, name, domain)

    def _begin(self, name: str, domain: _Domain) -> None:
        if domain.gathering is not None:
            domain.gathering.cancel()
            domain.gathering = None
        visit = _Visit(name, domain, self._manner.budget_seconds, lambda: self._serve(name, domain))
        domain.visits.append(visit)
        self._run(self._make(visit, name, domain))

    async def _make(self, visit: _Visit, name: str, domain: _Domain) -> None:
        try:
            if domain.waits():
                await self._engine.ask(visit.inquiry, visit.deadline, visit)
            if not visit.begun:
                # No server has greeted us: that is the word for all who wait.
                visit.take(len(domain.waiting))
            for asker in visit.askers:
                if not asker.answer.done():
                    self._conclude(visit.inquiry, asker)
        except asyncio.CancelledError:
            for asker in (*visit.askers, *domain.waiting):
                asker.answer.cancel()
            raise
        except Exception as error:
            if not visit.begun:
                visit.take(RECIPIENTS_PER_CONNECTION)
            for asker in visit.askers:
                if not asker.answer.done():
                    asker.answer.set_exception(error)
        finally:
            domain.visits.remove(visit)
            self._serve(name, domain)
            if not domain.visits and not domain.waiting:
                self._domains.pop(name, None)

    def _conclude(self, inquiry: Inquiry, asker: _Asker) -> None:
        """Gives the word on an address, or asks again when the server wants it, if that is soon enough."""
        checked = conclude(inquiry, asker.address)
        again = checked.retry_after
        if self._manner.patient or again is None or again >= asker.deadline.left():
            asker.answer.set_result(checked)
        else:
            self._run(self._again(again, asker))

    async def _again(self, seconds: float, asker: _Asker) -> None:
        await asyncio.sleep(seconds)
        if not asker.answer.done():
            self._wait(asker)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
