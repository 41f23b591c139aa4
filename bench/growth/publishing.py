"""Publishing events while another session holds an old snapshot, as a backup does."""

import asyncio

import asyncpg

from addtocrm.events import store
from bench.deployment import Deployment
from bench.figure import Figure

ROUNDS = 50
WRITE = """insert into events_outbox (id, account_id, type, actor, data)
           select new_id('evt'), 'acc_bench', 'list.created', 'operator', '{}' from generate_series(1, $1::int)"""


async def milliseconds(pool: "asyncpg.Pool[asyncpg.Record]") -> float:
    """What it takes to publish ten events, and to find that there are none."""
    loop = asyncio.get_running_loop()
    taken = 0.0
    for _ in range(ROUNDS):
        await pool.execute(WRITE, 10)
        began = loop.time()
        await store.publish(pool)
        await store.publish(pool)
        taken += loop.time() - began
    return taken / ROUNDS * 1000


async def measure(url: str) -> tuple[float, float]:
    old = await asyncpg.connect(url)
    pool = await asyncpg.create_pool(url, min_size=1, max_size=1)
    taken: list[float] = []
    async with old.transaction(isolation="repeatable_read"):
        await old.fetchval("select count(*) from events_outbox")
        for events in (60_000, 540_000):
            for _ in range(events // 1_000):
                await pool.execute(WRITE, 1_000)
                await store.publish(pool)
            taken.append(await milliseconds(pool))
    await pool.close()
    await old.close()
    return taken[0], taken[1]


def figure(deployment: Deployment) -> Figure:
    small, large = asyncio.run(measure(deployment.url))
    title = "publishing ten events after 60,000 under one snapshot (ms)"
    return Figure(title, large, small, large / small, "≤ 1.3")
