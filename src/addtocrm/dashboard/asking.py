"""Lookups that people ask for: a job of one is done at once, one of several says first what it costs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from litestar import Response
from litestar.response import Redirect
from msgspec.structs import replace

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.dashboard import forms
from addtocrm.dashboard.asked import MOST, Pasted
from addtocrm.dashboard.live import Live
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, caller_of, signed_in
from addtocrm.dashboard.words import plain
from addtocrm.jobs import service as jobs
from addtocrm.jobs.model import Job
from addtocrm.lookups.model import Operation
from addtocrm.lookups.service import Lookups

WAIT_SECONDS = 5.0
"""For so long the answer to a form waits for a job of one; after it the job's page tells how it goes on."""


class Cost(msgspec.Struct, frozen=True):
    """What a job costs at most: its different lookups, and how many of them are cached."""

    lookups: int
    cached: int


class Asking(msgspec.Struct, frozen=True):
    """A page that asks for many: `read` makes items of its lines and file, `keys` those of their lookups; both may
    raise ApiError. `submit` makes the job, which is held where it has a Cost."""

    template: str
    operation: Operation
    read: Callable[[str, bytes | None], list[Any]]
    keys: Callable[[list[Any]], list[str]]
    submit: Callable[[Pool, Caller, list[Any], Cost | None], Awaitable[Job]]


def form(
    request: AnyRequest, asking: Asking, status: int = 200, asked: Pasted | None = None, fault: str = ""
) -> Response[str]:
    return page(request, asking.template, status, asked=asked or Pasted(), fault=fault, most=MOST)


async def ask(
    request: AnyRequest, pool: Pool, live: Live, lookups: Lookups, asking: Asking
) -> Response[str] | Redirect:
    """Goes to the job that looks up what was pasted or uploaded."""
    asked = await forms.read(request, Pasted)
    file = await forms.uploaded(request, "file")
    try:
        items, keys = await asyncio.to_thread(_read, asking, asked, file)
    except ApiError as error:
        return form(request, asking, error.status, asked, plain(error.message))
    caller = caller_of(request)
    if len(items) == 1:
        return await shown(request, pool, live, await asking.submit(pool, caller, items, None))
    cached = 0 if asked.refresh else await lookups.cached(caller.account_id, asking.operation, keys)
    held = await asking.submit(pool, caller, items, Cost(len(set(keys)), cached))
    return go(f"/dashboard/jobs/{held.id}")


async def shown(request: AnyRequest, pool: Pool, live: Live, job: Job) -> Redirect:
    """Goes to a job; where it has one item, to that, once it is done."""
    if job.total != 1:
        return go(f"/dashboard/jobs/{job.id}")
    account_id = signed_in(request).account_id

    async def is_over() -> bool:
        return (await jobs.get(pool, account_id, job.id)).finished_at is not None

    over = await live.wait(f"progress:{job.id}", WAIT_SECONDS, is_over)
    return go(f"/dashboard/jobs/{job.id}" + ("/1" if over else ""))


def _read(asking: Asking, asked: Pasted, file: bytes | None) -> tuple[list[Any], list[str]]:
    """The items and their keys; in a thread, for there may be many."""
    items = [replace(one, refresh=asked.refresh) for one in asking.read(asked.lines, file)]
    return items, asking.keys(items)
