"""A batch is taken beside the other requests of its process."""

import asyncio
import threading
from typing import Any

import pytest

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import open_pool
from addtocrm.lookups.companies import batch, service
from addtocrm.tenants.accounts import service as accounts


def test_the_keys_of_a_batch_are_made_beside_other_requests(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = set[int]()
    make = service.lookup_key

    def lookup_key(query: Any) -> str:
        threads.add(threading.get_ident())
        return make(query)

    async def run() -> int:
        pool = await open_pool(database_url, size=2)
        account = await accounts.create(pool, "batch@example.com")
        job = await batch.submit(pool, Caller(account.id, "operator", "request"), ["größe.example", "maß.example"])
        await pool.close()
        return job.total

    monkeypatch.setattr(service, "lookup_key", lookup_key)
    assert asyncio.run(run()) == 2
    assert threads
    assert threading.get_ident() not in threads
