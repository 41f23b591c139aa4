"""A large batch is taken beside the other requests of its process."""

import asyncio
import time

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import open_pool
from addtocrm.lookups.companies import batch, service
from addtocrm.lookups.companies.model import LookUpCompany
from addtocrm.tenants.accounts import service as accounts


def domains(name: str) -> list[str]:
    return [f"bücher-{number}-{name}.example" for number in range(10_000)]


def test_a_batch_of_companies_holds_no_other_request_up(database_url: str) -> None:
    async def run() -> tuple[float, int]:
        pool = await open_pool(database_url, size=2)
        account = await accounts.create(pool, "batch@example.com")
        longest, ended = 0.0, asyncio.Event()

        async def others() -> None:
            nonlocal longest
            while not ended.is_set():
                began = time.monotonic()
                await asyncio.sleep(0.001)
                longest = max(longest, time.monotonic() - began)

        beside = asyncio.create_task(others())
        await asyncio.sleep(0)
        job = await batch.submit(pool, Caller(account.id, "operator", "request"), domains("größe"))
        ended.set()
        await beside
        await pool.close()
        return longest, job.total

    began = time.monotonic()
    for domain in domains("maß"):
        service.lookup_key(service.query_of(LookUpCompany(domain=domain)))
    keys = time.monotonic() - began
    longest, total = asyncio.run(run())
    assert total == 10_000
    assert longest < keys / 2
