"""Work beside the requests is not ended by a turn that fails."""

import asyncio

import asyncpg
import pytest

from addtocrm.core import background


def test_a_turn_that_fails_or_hangs_does_not_end_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "LONGEST_SECONDS", 0.05)
    turns = 0
    enough = asyncio.Event()

    async def work() -> None:
        nonlocal turns
        turns += 1
        match turns:
            case 1:
                raise asyncpg.InternalClientError("cannot switch to state 11")
            case 2:
                raise RuntimeError("what nobody thought of")
            case 3:
                await asyncio.Event().wait()
            case _:
                enough.set()

    async def run() -> None:
        repeating = asyncio.create_task(background.repeat("test", 0, work))
        await enough.wait()
        repeating.cancel()

    asyncio.run(run())
