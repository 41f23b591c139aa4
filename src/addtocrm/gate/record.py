"""What is kept of every request: a line in the log, its count and its time in the metrics.

It is written for many requests together, a moment after their answers: in their way it would cost more than judging
them does.
"""

import asyncio
import logging
from collections import Counter as Tally
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

import msgspec
import structlog

from addtocrm import logs, metrics

log = structlog.get_logger("addtocrm.requests")

FLUSH_SECONDS = 0.1
MOST = 256


class Record(NamedTuple):
    """An answered request. `route` is the path that metrics are labelled with, `at` the epoch's seconds."""

    at: float
    seconds: float
    method: str
    path: str
    route: str
    status: int
    result: str
    key_id: str | None
    request_id: str


class Line(msgspec.Struct, gc=False):
    """A request's line in the log."""

    method: str
    path: str
    status: int
    result: str
    ms: float
    key_id: str | None
    event: str
    request_id: str
    level: str
    timestamp: datetime


class Recorder:
    """Collects records, and writes them when there are MOST or the oldest waits for FLUSH_SECONDS.

    After `close` each is written at once.
    """

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._most = MOST
        self._timer: asyncio.TimerHandle | None = None
        self._latency = cache(metrics.LATENCY.labels)

    def add(self, record: Record) -> None:
        self._records.append(record)
        if len(self._records) >= self._most:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        """Writes what was collected."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        records, self._records = self._records, []
        for (route, result), requests in Tally((record.route, record.result) for record in records).items():
            metrics.REQUESTS.labels(route, result).inc(requests)
        for record in records:
            self._latency(record.route).observe(record.seconds)
        if log.is_enabled_for(logging.INFO):
            logs.write(map(_line, records))

    def close(self) -> None:
        self._most = 1
        self.flush()


def _line(record: Record) -> Line:
    return Line(
        record.method,
        record.path,
        record.status,
        record.result,
        round(record.seconds * 1000, 2),
        record.key_id,
        "request",
        record.request_id,
        "info",
        datetime.fromtimestamp(record.at, UTC),
    )
