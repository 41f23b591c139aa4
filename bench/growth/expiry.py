"""A thousand results past their time, deleted beside those that are still good."""

import asyncio
import time

from addtocrm.core.db.pool import open_pool
from addtocrm.lookups import store
from bench.deployment import Deployment
from bench.figure import Figure

TIMES = 15
INSERT = """insert into results (account_id, operation, lookup_key, data, expires_at)
            select 'acc_' || n, 'people.enrich', 'key ' || $1 || n, '{}', now() + make_interval(secs => $2)
            from generate_series(1, $3::int) n"""


def deleting(deployment: Deployment) -> float:
    """Milliseconds, the median of some."""

    async def run() -> float:
        pool = await open_pool(deployment.url, size=1)
        taken: list[float] = []
        for _ in range(TIMES):
            await pool.execute(INSERT, "expired ", -1.0, 1000)
            began = time.perf_counter()
            await store.delete_expired(pool)
            taken.append(time.perf_counter() - began)
        await pool.close()
        return sorted(taken)[TIMES // 2] * 1000

    return asyncio.run(run())


def figure(deployment: Deployment) -> Figure:
    def grown_to(results: int) -> float:
        deployment.sql(INSERT, f"good {results} ", 86_400.0, results)
        deployment.sql("vacuum analyze results")
        deleting(deployment)
        return deleting(deployment)

    small = grown_to(20_000)
    large = grown_to(180_000)
    return Figure("deleting 1,000 expired results beside 20,000 (ms)", large, small, large / small, "≤ 1.3")
