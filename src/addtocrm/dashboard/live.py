"""Pages that follow what is under way: a stream of server-sent events (HTML Living Standard §9.2) that says only that
there is something new. The page then asks for itself again and shows what has changed, as it does every few seconds
where there is no stream."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from litestar import Response
from litestar.response import Stream

from addtocrm.dashboard.visitor import AnyRequest, signed_in

MOST_OF_A_SESSION = 3
"""Streams that are open at a time: a browser keeps six connections to a host, over all its tabs."""
HEARTBEAT_SECONDS = 15.0
"""So often there is something to send in any case; it makes up for a notice that was missed."""
PAUSE_SECONDS = 0.5
"""Between two pieces of news."""
LONGEST_SECONDS = 300.0
"""After so long the browser connects anew, if it is still signed in."""
RETRY = b"retry: 2000\n\n"
NEWS, END = b"event: news\ndata: 1\n\n", b"event: end\ndata: 1\n\n"
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


async def never() -> bool:
    """Of what is not over as long as somebody looks."""
    return False


class Live:
    """Wakes the pages that wait for news of a subject. A subject is what the database's notice is called, such as
    `progress:job_…`."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._open: Counter[str] = Counter()
        self._closed = False

    def hear(self, kind: str, subject: str) -> None:
        """Wakes who waits for `kind:subject`."""
        for news in self._waiting.get(f"{kind}:{subject}", ()):
            news.set()

    def close(self) -> None:
        """Ends all streams; the browsers come back to who serves next."""
        self._closed = True
        for waiting in self._waiting.values():
            for news in waiting:
                news.set()

    def stream(self, request: AnyRequest, subject: str, is_over: Callable[[], Awaitable[bool]]) -> Response[Any]:
        """News of `subject` until it `is_over`. 429 where the session has enough of them: the page asks by itself."""
        session = signed_in(request).session_id
        if self._open[session] >= MOST_OF_A_SESSION or self._closed:
            return Response("", status_code=429, media_type="text/plain", headers=HEADERS)
        return Stream(self._told(session, subject, is_over), media_type="text/event-stream", headers=HEADERS)

    async def wait(self, subject: str, seconds: float, is_over: Callable[[], Awaitable[bool]]) -> bool:
        """Whether it is over within so many seconds."""
        with self._news(subject) as news:
            try:
                async with asyncio.timeout(seconds):
                    while not await is_over():
                        await news.wait()
                        news.clear()
            except TimeoutError:
                return False
        return True

    async def _told(self, session: str, subject: str, is_over: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        until = loop.time() + LONGEST_SECONDS
        self._open[session] += 1
        try:
            with self._news(subject) as news:
                yield RETRY
                while not self._closed and loop.time() < until:
                    if await is_over():
                        yield END
                        return
                    yield NEWS
                    await asyncio.sleep(PAUSE_SECONDS)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(HEARTBEAT_SECONDS):
                            await news.wait()
                    news.clear()
        finally:
            self._open[session] -= 1
            if not self._open[session]:
                del self._open[session]

    @contextmanager
    def _news(self, subject: str) -> Iterator[asyncio.Event]:
        """An event that each notice of `subject` sets."""
        news = asyncio.Event()
        self._waiting.setdefault(subject, set()).add(news)
        try:
            yield news
        finally:
            self._waiting[subject].discard(news)
            if not self._waiting[subject]:
                del self._waiting[subject]
