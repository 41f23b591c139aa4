"""Lookups that people ask for: a job of one is done at once, one of several says first what it costs."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any

import msgspec
from litestar.response import Redirect

from addtocrm.core.db.pool import Pool
from addtocrm.dashboard.live import Live
from addtocrm.dashboard.page import go
from addtocrm.dashboard.visitor import AnyRequest, signed_in
from addtocrm.jobs import service as jobs
from addtocrm.jobs.model import Job
from addtocrm.lookups.model import Operation
from addtocrm.lookups.service import Lookups

WAIT_SECONDS = 5.0
"""For so long the answer to a form waits for a job of one; after it the job's page tells how it goes on."""

Submit = Callable[[Any], Awaitable[Job]]


class Cost(msgspec.Struct, frozen=True):
    """What a job costs at most: its different lookups, and how many of them are cached."""

    lookups: int
    cached: int


async def ask(
    request: AnyRequest,
    pool: Pool,
    live: Live,
    lookups: Lookups,
    operation: Operation,
    items: Collection[Any],
    keys: Collection[str],
    submit: Submit,
    *,
    refresh: bool,
) -> Redirect:
    """Goes to the job that looks up `items`, whose keys are `keys`."""
    if len(items) == 1:
        return await shown(request, pool, live, await submit(None))
    cached = 0 if refresh else await lookups.cached(signed_in(request).account_id, operation, list(keys))
    return go(f"/dashboard/jobs/{(await submit(Cost(len(set(keys)), cached))).id}")


async def shown(request: AnyRequest, pool: Pool, live: Live, job: Job) -> Redirect:
    """Goes to a job; where it has one item, to that, once it is done."""
    if job.total != 1:
        return go(f"/dashboard/jobs/{job.id}")
    account_id = signed_in(request).account_id

    async def is_over() -> bool:
        return (await jobs.get(pool, account_id, job.id)).finished_at is not None

    over = await live.wait(f"progress:{job.id}", WAIT_SECONDS, is_over)
    return go(f"/dashboard/jobs/{job.id}" + ("/1" if over else ""))
