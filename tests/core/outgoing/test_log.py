"""What the log says of calls to vendors."""

import asyncio
import json
import sys

from calling import saying
from vendor_server import VendorServer

ASKING = """
import asyncio, sys
import structlog
from addtocrm.core import logs
from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.quotas import MemoryQuotas
from addtocrm.core.outgoing.vendor import Account, Vendor
from addtocrm.core.settings import Settings

async def of_request(outgoing, url):
    logs.request_id.set("request-" + url[-1])
    await outgoing.call(Account(Vendor(name="acme"), "portal-1"), "GET", url)

async def of_job(outgoing, url):
    structlog.contextvars.bind_contextvars(request_id="request-" + url[-1], job="job_1")
    await outgoing.call(Account(Vendor(name="acme"), "portal-1"), "GET", url)

async def main():
    logs.configure("info")
    outgoing = Outgoing(Settings(allow_private_networks=True), MemoryQuotas())
    works = [of_request, of_request, of_job]
    await asyncio.gather(*(work(outgoing, f"{sys.argv[1]}/{n}") for n, work in enumerate(works)))
    await outgoing.close()

asyncio.run(main())
"""


def test_a_call_is_logged_with_the_request_that_it_is_made_for() -> None:
    async def test() -> bytes:
        async with VendorServer(saying(503), saying(200)) as server:
            asking = await asyncio.create_subprocess_exec(
                sys.executable, "-c", ASKING, server.url, stderr=asyncio.subprocess.PIPE
            )
            _, said = await asking.communicate()
            assert asking.returncode == 0, said
            return said

    lines = [json.loads(line) for line in asyncio.run(test()).splitlines()]
    calls = [line for line in lines if line["event"] == "vendor_call"]
    assert sorted(call["outcome"] for call in calls) == ["ok", "ok", "ok", "server_failed"]
    for call in calls:
        assert call["request_id"] == f"request-{call['path'][-1]}", "also where it was asked again"
        assert call.get("job") == ("job_1" if call["path"] == "/2" else None)
