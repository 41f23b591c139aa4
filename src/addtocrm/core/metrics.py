"""The metrics at /metrics (Prometheus text format)."""

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Sequence
from typing import Any

from prometheus_client import Counter, Gauge, Histogram


class Durations(Histogram):
    """A histogram that takes many observations at once."""

    def observe_all(self, seconds: Sequence[float]) -> None:
        own: Any = self
        own._sum.inc(sum(seconds))
        for bucket, count in Tally(bisect_left(own._upper_bounds, each) for each in seconds).items():
            own._buckets[bucket].inc(count)


REQUESTS = Counter("addtocrm_requests", "Requests by path and result.", ["path", "result"])
REQUESTS_NOT_KEPT = Counter("addtocrm_requests_not_kept", "Requests that are missing in the accounts' request log.")
LATENCY = Durations(
    "addtocrm_request_seconds",
    "Time from request to answer.",
    ["path"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
CACHE = Counter("addtocrm_lookups", "Lookups by operation and cache result.", ["operation", "cache"])
CREDITS = Counter("addtocrm_credits", "Credits deducted by operation.", ["operation"])
PROVIDER_CALLS = Counter("addtocrm_provider_calls", "Calls of data providers.", ["provider", "result"])
RATE_LIMIT_FALLBACKS = Counter(
    "addtocrm_rate_limit_fallbacks", "Requests judged by this process alone because Valkey was lost."
)
POOL = Gauge("addtocrm_pool_connections", "Database connections by state.", ["state"], multiprocess_mode="livesum")
VENDOR_CALLS = Counter("addtocrm_vendor_calls", "Requests to vendors by outcome.", ["vendor", "outcome"])
VENDOR_SECONDS = Histogram("addtocrm_vendor_seconds", "Time from a request to its answer.", ["vendor"])
VENDOR_RETRIES = Counter("addtocrm_vendor_retries", "Requests to vendors that were sent again.", ["vendor"])
VENDOR_WAITS = Histogram("addtocrm_vendor_wait_seconds", "Time that calls waited for a vendor's quota.", ["vendor"])
VENDOR_CIRCUITS = Gauge(
    "addtocrm_vendor_circuits_open", "Vendor accounts that are left alone.", ["vendor"], multiprocess_mode="livesum"
)
