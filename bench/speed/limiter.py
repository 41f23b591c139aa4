"""How much of a vendor's quota is used: three processes of 100 callers, 10 requests a second, counted by the vendor."""

import asyncio
import sys

from bench.deployment import Deployment
from bench.figure import Figure

A_SECOND, PROCESSES, CALLERS = 10, 3, 100


async def arrivals(database_url: str) -> list[float]:
    """When each request reached the vendor (seconds)."""
    seen: list[float] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            seen.append(asyncio.get_running_loop().time())
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as vendor:
        url = f"http://127.0.0.1:{vendor.sockets[0].getsockname()[1]}/"
        command = (sys.executable, "-m", "bench.calling", database_url, url, str(CALLERS))
        callers = [await asyncio.create_subprocess_exec(*command) for _ in range(PROCESSES)]
        assert [await caller.wait() for caller in callers] == [0] * PROCESSES
    return seen


def figure(deployment: Deployment) -> Figure:
    seen = asyncio.run(arrivals(deployment.url))
    assert all(later - earlier >= 1 for earlier, later in zip(seen, seen[A_SECOND:], strict=False)), "over the quota"
    used = (len(seen) - A_SECOND) / (seen[-1] - seen[0])
    return Figure("requests a second of 300 callers at a quota of 10", used, A_SECOND, used / A_SECOND, "≥ 0.95")
