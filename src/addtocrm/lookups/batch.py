"""What the jobs of look-ups share."""

from collections.abc import AsyncGenerator
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
async def waiting_for_credits(
    lookups: Lookups, caller: Caller, seconds: float = SHORTAGE_SECONDS
) -> AsyncGenerator[None]:
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
