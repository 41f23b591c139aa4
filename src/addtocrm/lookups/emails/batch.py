"""The job that verifies addresses, one an item; those of one domain share connections."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Pool
from addtocrm.jobs import service as jobs
from addtocrm.jobs.kind import Done, Kind, Postponed
from addtocrm.jobs.model import Item, Job, NewItem
from addtocrm.lookups.batch import done, resting_for_credits
from addtocrm.lookups.emails import service
from addtocrm.lookups.emails.model import VerifyEmail
from addtocrm.lookups.service import Lookups
from addtocrm.mail.desk import BULK, Desk, Withdrawn
from addtocrm.mail.engine import Engine

AT_ONCE = 2000
"""Ten for each connection that may be open, and the next ones ready."""
ATTEMPTS = 5
"""How often a server that puts us off is asked, over up to about an hour, before the answer is `unknown`."""
SHORTAGE_SECONDS = 3.0
JOINED_SECONDS = 60.0
WITHDRAWN_SECONDS = 1.0
"""Another one who asked about the same address took the question back."""


class Services(Protocol):
    @property
    def lookups(self) -> Lookups: ...
    @property
    def engine(self) -> Engine: ...


async def submit(pool: Pool, caller: Caller, items: Sequence[VerifyEmail | str], held: Any = None) -> Job:
    """A queued job with one item for each address."""
    new = await asyncio.to_thread(lambda: [_new(item) for item in items])
    return await jobs.submit(pool, caller, service.VERIFY.name, "enrich", new, held)


def _new(item: VerifyEmail | str) -> NewItem:
    asked = _asked(item)
    key = service.verify_key(asked.email)
    return NewItem(item, f"{key} {asked.refresh}", key.rpartition("@")[2])


def _asked(item: VerifyEmail | str) -> VerifyEmail:
    return VerifyEmail(item) if isinstance(item, str) else item


def kind(services: Services) -> Kind:
    """The kind of job, bound to the running services."""
    desk = Desk(services.engine, BULK)

    async def verify(caller: Caller, options: dict[str, Any], item: Item) -> Done:
        asked = _asked(msgspec.convert(item.input, VerifyEmail | str))
        try:
            async with resting_for_credits(services.lookups, caller, SHORTAGE_SECONDS), desk.turn(asked.email):
                asking = asyncio.ensure_future(
                    service.verify(services.lookups, desk, caller, asked.email, refresh=asked.refresh and item.since)
                )
                try:
                    answer, checked = await asyncio.shield(asking)
                except asyncio.CancelledError:
                    desk.withdraw(asked.email)
                    answer, checked = await asking
        except Withdrawn:
            raise Postponed(WITHDRAWN_SECONDS) from None
        if answer.cached or answer.credits_deducted or item.attempts >= ATTEMPTS:
            return done(answer)
        again = checked.retry_after if checked else JOINED_SECONDS
        if again is not None:
            raise Postponed(again)
        return done(answer)

    return Kind(service.VERIFY.name, verify, at_once=AT_ONCE, cancellable=True)
