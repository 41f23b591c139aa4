"""What is kept of every request: a line in the log, its count and its time in the metrics.

It is written for many requests together, a moment after their answers: in their way it would cost more than judging
them does.
"""

import asyncio
import logging
from collections import defaultdict
from datetime import datetime

import msgspec
import structlog

from addtocrm.core import logs, metrics

log = structlog.get_logger("addtocrm.requests")

FLUSH_SECONDS = 0.1
MOST = 256


class Line(msgspec.Struct, kw_only=True, gc=False):
    """An answered request's line in the log; metrics are labelled with `route` and `result`."""

    method: str
    path: str
    route: str
    status: int
    result: str
    ms: float
    key_id: str | None
    event: str = "request"
    request_id: str
    level: str = "info"
    timestamp: datetime


class Recorder:
    """Collects lines, and writes them when there are MOST or the oldest waits for FLUSH_SECONDS.

    After `close` each is written at once.
    """

    def __init__(self) -> None:
        self._lines: list[Line] = []
        self._most = MOST
        self._timer: asyncio.TimerHandle | None = None

    def add(self, line: Line) -> None:
        self._lines.append(line)
        if len(self._lines) >= self._most:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Writes what was collected."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        seconds: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        for line in lines:
            seconds[line.route, line.result].append(line.ms / 1000)
        for (route, result), taken in seconds.items():
            metrics.REQUESTS.labels(route, result).inc(len(taken))
            metrics.LATENCY.labels(route).observe_all(taken)
        if log.is_enabled_for(logging.INFO):
            logs.write(lines)

    def close(self) -> None:
        self._most = 1
        self.flush()
