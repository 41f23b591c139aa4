"""Several at a time: what connectors share to ask for many."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from addtocrm.crm.failures import Failure

T = TypeVar("T")
R = TypeVar("R")


def parts(items: Sequence[T], most: int, size: Callable[[T], int] = lambda _: 1) -> list[list[T]]:
    """The items in parts whose sizes together are at most `most`; one that is larger is a part of its own."""
    found: list[list[T]] = []
    used = most
    for item in items:
        if used + size(item) > most or not found:
            found.append([])
            used = 0
        found[-1].append(item)
        used += size(item)
    return found


async def together(items: Sequence[T], do: Callable[[T], Awaitable[R]], at_once: int) -> list[R | Failure]:
    """What `do` makes of each, so many at a time, or why not."""
    turns = asyncio.Semaphore(at_once)

    async def one(item: T) -> R | Failure:
        async with turns:
            try:
                return await do(item)
            except Failure as failure:
                return failure

    return await asyncio.gather(*(one(item) for item in items))


async def all_together(items: Sequence[T], do: Callable[[T], Awaitable[R]], at_once: int) -> list[R]:
    """As `together`; raises the first failure after the last has ended."""
    results: list[R] = []
    for result in await together(items, do, at_once):
        if isinstance(result, Failure):
            raise result
        results.append(result)
    return results
