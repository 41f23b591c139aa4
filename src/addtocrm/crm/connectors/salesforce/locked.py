"""Rows that others hold locked for a moment are written again."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from addtocrm.crm.connectors.salesforce.answers import Outcome, Problem
from addtocrm.crm.failures import Failure
from addtocrm.crm.several import parts

LOCKED = Problem(status_code="UNABLE_TO_LOCK_ROW", message="The record is locked.")
LOCK_WAITS = (0.2, 0.5, 1.5)


async def unlocked(count: int, most: int, once: Callable[[Sequence[int]], Awaitable[list[Outcome]]]) -> list[Outcome]:
    """What becomes of each of `count` rows by `once`, which takes `most`, and again those that others hold locked.

    What was done is told also where a later request fails; where nothing was, its Failure is raised.
    """
    done: list[Outcome] = [LOCKED] * count
    for wait in (0.0, *LOCK_WAITS):
        left = [i for i, one in enumerate(done) if _is_locked(one)]
        await asyncio.sleep(wait if left else 0)
        for part in parts(left, most):
            try:
                outcomes = await once(part)
            except Failure as failed:
                if not any(isinstance(one, str) for one in done):
                    raise
                return [failed if _is_locked(one) else one for one in done]
            for i, one in zip(part, outcomes, strict=True):
                done[i] = one
    return done


def _is_locked(outcome: Outcome) -> bool:
    return isinstance(outcome, Problem) and outcome.code == LOCKED.code
