"""GET /healthz, /readyz, /metrics."""

import asyncio
import os

from litestar import Response, get
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from addtocrm.core import metrics
from addtocrm.core.db.notify import Listener
from addtocrm.core.db.pool import DATABASE_FAILURES, Pool
from addtocrm.web.endpoint import json
from addtocrm.web.record import Recorder

ANSWER_SECONDS = 2.0
"""For a connection of the pool and the database's answer."""


@get("/healthz", sync_to_thread=False)
def healthz() -> Response[bytes]:
    return json({"status": "alive"})


@get("/readyz")
async def readyz(pool: Pool, listener: Listener) -> Response[bytes]:
    """200 when the database answers and notices arrive, else 503."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await pool.fetchval("select 1")
    except DATABASE_FAILURES:
        return json({"status": "the database does not answer"}, 503)
    if not listener.connected:
        return json({"status": "waiting for the database's notices"}, 503)
    return json({"status": "ready"})


@get("/metrics", sync_to_thread=False)
def metrics_page(pool: Pool, recorder: Recorder) -> Response[bytes]:
    recorder.flush()
    metrics.POOL.labels("open").set(pool.get_size())
    metrics.POOL.labels("idle").set(pool.get_idle_size())
    return Response(generate_latest(collected()), media_type=CONTENT_TYPE_LATEST)


def collected() -> CollectorRegistry:
    """The metrics of all processes of this server that count together."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    return registry


handlers = [healthz, readyz, metrics_page]
