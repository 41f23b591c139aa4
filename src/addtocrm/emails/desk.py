"""Brings together those who ask about one domain at the same time, so that a connection serves several."""

import asyncio
from collections import deque
from weakref import WeakValueDictionary

import msgspec

from addtocrm.emails.engine import RECIPIENTS_PER_CONNECTION, Engine
from addtocrm.emails.model import Checked
from addtocrm.emails.politeness import PER_HOST
from addtocrm.emails.syntax import parse

BUDGET_SECONDS = 120.0
GATHER_SECONDS = 1.0
AHEAD = 2
"""Full connections of a domain that are ready behind each open one, and that one."""


class Withdrawn(Exception):
    """Who asked about the address has taken the question back."""


class _Domain(msgspec.Struct):
    """Who waits for an answer about a domain, and how many exchanges are under way."""

    waiting: deque[tuple[str, "asyncio.Future[Checked]"]] = msgspec.field(default_factory=deque)
    asking: int = 0
    gathering: asyncio.TimerHandle | None = None


class Desk:
    """Verifies single addresses for bulk work; no answer is waited for longer than the work takes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._domains: dict[str, _Domain] = {}
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._exchanges: set[asyncio.Task[None]] = set()

    async def check_one(self, address: str) -> Checked:
        """As `Engine.check` for one address, together with others of its domain that are asked for meanwhile."""
        parsed = parse(address)
        if parsed is None:
            return await self._engine.check_one(address)
        domain = self._domains.setdefault(parsed.domain, _Domain())
        answer: asyncio.Future[Checked] = asyncio.get_running_loop().create_future()
        domain.waiting.append((address, answer))
        self._serve(parsed.domain, domain)
        return await answer

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
        for waiting, answer in domain.waiting if domain else ():
            if waiting == address and not answer.done():
                answer.set_exception(Withdrawn())

    def _serve(self, name: str, domain: _Domain) -> None:
        """Begins an exchange for a full connection at once, and for less when the others have had time to come."""
        if domain.asking == PER_HOST or not domain.waiting:
            return
        if len(domain.waiting) >= RECIPIENTS_PER_CONNECTION:
            self._begin(name, domain)
        elif domain.gathering is None:
            loop = asyncio.get_running_loop()
            domain.gathering = loop.call_later(GATHER_SECONDS, self._begin, name, domain)

    def _begin(self, name: str, domain: _Domain) -> None:
        if domain.gathering is not None:
            domain.gathering.cancel()
            domain.gathering = None
        take = min(len(domain.waiting), RECIPIENTS_PER_CONNECTION)
        group = [domain.waiting.popleft() for _ in range(take)]
        domain.asking += 1
        exchange = asyncio.create_task(self._ask(name, domain, group))
        self._exchanges.add(exchange)
        exchange.add_done_callback(self._exchanges.discard)

    async def _ask(self, name: str, domain: _Domain, group: "list[tuple[str, asyncio.Future[Checked]]]") -> None:
        wanted = [(address, answer) for address, answer in group if not answer.done()]
        try:
            checked = await self._engine.check(
                [address for address, _ in wanted], budget_seconds=BUDGET_SECONDS, patient=True
            )
            for (_, answer), one in zip(wanted, checked, strict=True):
                if not answer.done():
                    answer.set_result(one)
        except asyncio.CancelledError:
            for _, answer in wanted:
                answer.cancel()
            raise
        except Exception as error:
            for _, answer in wanted:
                if not answer.done():
                    answer.set_exception(error)
        finally:
            domain.asking -= 1
            self._serve(name, domain)
            if not domain.asking and not domain.waiting:
                self._domains.pop(name, None)
