"""What the jobs of look-ups share."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from addtocrm.core.caller import Caller
from addtocrm.core.errors import ApiError
from addtocrm.jobs.kind import Done, Postponed
from addtocrm.lookups.model import Answer
from addtocrm.lookups.service import Lookups

SHORTAGE_SECONDS = 0.5


def done(answer: Answer) -> Done:
    """The result of an item that was looked up."""
    return Done(answer.data, answer.cached, answer.credits_deducted)


@asynccontextmanager
async def resting_for_credits(lookups: Lookups, caller: Caller, seconds: float) -> AsyncGenerator[None]:
    """The look-up of an item. The job rests for `seconds` where all credits that are left are held by other look-ups:
    they come back where those find nothing.

    Raises what the look-up raises, and Postponed.
    """
    try:
        yield
    except ApiError as error:
        if error.type == "insufficient_credits" and await lookups.may_have_credits(caller.account_id):
            raise Postponed(seconds, all_items=True) from None
        raise


async def looked_up(lookups: Lookups, caller: Caller, look_up: Callable[[], Awaitable[Answer]]) -> Done:
    """The result of an item whose look-up is quick: before the job rests it waits for a credit to come back.

    Raises as `resting_for_credits`.
    """
    returned = lookups.returned(caller.account_id)
    while True:
        try:
            async with resting_for_credits(lookups, caller, SHORTAGE_SECONDS):
                return done(await look_up())
        except Postponed as short:
            if not await _is_notified(returned):
                raise short from None


async def _is_notified(returned: asyncio.Condition) -> bool:
    """Whether it is, within SHORTAGE_SECONDS."""
    async with returned:
        try:
            async with asyncio.timeout(SHORTAGE_SECONDS):
                return await returned.wait()
        except TimeoutError:
            return False
