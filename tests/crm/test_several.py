"""Several at a time, as connectors share it."""

import asyncio

import pytest

from addtocrm.crm.failures import NotFound, Unavailable
from addtocrm.crm.several import all_together, parts, together


def test_parts_keep_order_and_size() -> None:
    assert parts([1, 2, 3], 2) == [[1, 2], [3]]
    assert parts(["a" * 9, "b", "c"], 5, len) == [["a" * 9], ["b", "c"]]
    assert parts([], 5) == []


def test_what_fails_alone_is_given_in_its_place() -> None:
    under_way, most = 0, 0

    async def do(item: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        if item == 3:
            raise NotFound("contact 3")
        return item * 2

    done = asyncio.run(together([1, 2, 3, 4, 5], do, 2))
    assert (done[:2], done[3:], most) == ([2, 4], [8, 10], 2)
    assert isinstance(done[2], NotFound)


def test_all_together_raises_the_first_failure_when_all_have_ended() -> None:
    ended: list[int] = []

    async def do(item: int) -> int:
        await asyncio.sleep(0)
        ended.append(item)
        if item > 1:
            raise Unavailable(retry_after=item)
        return item

    with pytest.raises(Unavailable) as raised:
        asyncio.run(all_together([1, 2, 3], do, 3))
    assert (raised.value.retry_after, ended) == (2, [1, 2, 3])
