"""Rate limits: fixed windows of a minute and an hour, aligned to the epoch."""

import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Protocol, cast

import msgspec
import structlog
from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

from addtocrm.core import metrics, valkeys
from addtocrm.core.errors import ApiError
from addtocrm.gate.store import Count

log = structlog.get_logger()

MINUTE, HOUR = 60, 3600
VALKEY_SECONDS = 2.0
"""Long enough that a busy host is not taken for a lost Valkey."""
RETRY_SECONDS = 1.0


class Standing(msgspec.Struct, frozen=True):
    """Where a subject stands after a request: what is left of each window, and when it resets (epoch seconds)."""

    allowed: bool
    now: float
    per_minute: int
    per_hour: int
    used_minute: int
    used_hour: int

    @property
    def reset_minute(self) -> int:
        return _end(self.now, MINUTE)

    @property
    def reset_hour(self) -> int:
        return _end(self.now, HOUR)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The `X-RateLimit-…` headers."""
        return [
            *_window_headers(self.per_minute, self.per_hour, int(self.now) // MINUTE),
            (b"x-ratelimit-remaining-minute", b"%d" % max(0, self.per_minute - self.used_minute)),
            (b"x-ratelimit-remaining-hour", b"%d" % max(0, self.per_hour - self.used_hour)),
        ]

    def refuse_if_spent(self) -> None:
        """Raises ApiError where the request was one too many; the hour's where both windows are spent."""
        if self.allowed:
            return
        if self.used_hour >= self.per_hour:
            kind, reset, words = "rate_limit_hour", self.reset_hour, f"{self.per_hour} requests an hour"
        else:
            kind, reset, words = "rate_limit_minute", self.reset_minute, f"{self.per_minute} requests a minute"
        seconds = max(1, int(reset - self.now + 0.999))
        raise ApiError(kind, f"The limit of {words} is reached; try again in {seconds} s.", retry_after_seconds=seconds)


@lru_cache(1024)
def _window_headers(per_minute: int, per_hour: int, minute: int) -> tuple[tuple[bytes, bytes], ...]:
    """What the answers to all requests of a minute have in common."""
    return (
        (b"x-ratelimit-limit-minute", b"%d" % per_minute),
        (b"x-ratelimit-reset-minute", b"%d" % _end(minute * MINUTE, MINUTE)),
        (b"x-ratelimit-limit-hour", b"%d" % per_hour),
        (b"x-ratelimit-reset-hour", b"%d" % _end(minute * MINUTE, HOUR)),
    )


def _end(now: float, window: int) -> int:
    """When the window that holds `now` ends."""
    return (int(now) // window + 1) * window


class Limiter(Protocol):
    async def start(self) -> None:
        """To be awaited before the first request."""
        ...

    async def take(self, subject: str, per_minute: int, per_hour: int, cost: int = 1) -> Standing:
        """Uses up `cost` requests of `subject` (0: only looks), unless a window is spent: then none."""
        ...

    async def close(self) -> None: ...


class MemoryLimiter:
    """Counts in this process."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int, int, int]] = {}
        self._hour = 0

    async def take(self, subject: str, per_minute: int, per_hour: int, cost: int = 1) -> Standing:
        now = time.time()
        minute, hour = int(now) // MINUTE, int(now) // HOUR
        if hour != self._hour:
            self._counts.clear()
            self._hour = hour
        at, used_minute, _, used_hour = self._counts.get(subject, (minute, 0, hour, 0))
        if at < minute:
            used_minute = 0
        wanted = cost or 1
        allowed = used_minute + wanted <= per_minute and used_hour + wanted <= per_hour
        if allowed and cost:
            used_minute += cost
            used_hour += cost
            self._counts[subject] = (minute, used_minute, hour, used_hour)
        return Standing(allowed, now, per_minute, per_hour, used_minute, used_hour)

    def counts(self) -> list[Count]:
        """All that is counted."""
        return [(subject, *count) for subject, count in self._counts.items()]

    def load(self, counts: Iterable[Count]) -> None:
        """Goes on with what was counted elsewhere."""
        self._hour = int(time.time()) // HOUR
        self._counts = {
            subject: (minute, used_minute, hour, used_hour)
            for subject, minute, used_minute, hour, used_hour in counts
            if hour >= self._hour
        }

    def clear(self) -> None:
        self._counts.clear()


# The server's clock, so that all hosts see the same window; both counters or neither.
SCRIPT = """
local now = redis.call('TIME')
local seconds = tonumber(now[1])
local minute_key = KEYS[1] .. ':m:' .. math.floor(seconds / 60)
local hour_key = KEYS[1] .. ':h:' .. math.floor(seconds / 3600)
local minute = tonumber(redis.call('GET', minute_key) or '0')
local hour = tonumber(redis.call('GET', hour_key) or '0')
local cost = tonumber(ARGV[3])
local wanted = math.max(cost, 1)
local allowed = minute + wanted <= tonumber(ARGV[1]) and hour + wanted <= tonumber(ARGV[2])
if allowed and cost > 0 then
    minute = redis.call('INCRBY', minute_key, cost)
    redis.call('EXPIRE', minute_key, 120)
    hour = redis.call('INCRBY', hour_key, cost)
    redis.call('EXPIRE', hour_key, 7200)
end
return {allowed and 1 or 0, seconds, tonumber(now[2]), minute, hour}
"""


class ValkeyLimiter:
    """Counts in Valkey (or Redis): exact for any number of workers and hosts.

    While Valkey is lost each process counts for itself, with a warning and a metric, and asks again every second.
    """

    def __init__(self, url: str) -> None:
        self._valkey = Valkey.from_url(
            valkeys.address(url),
            socket_timeout=VALKEY_SECONDS,
            socket_connect_timeout=VALKEY_SECONDS,
        )
        self._script = self._valkey.register_script(SCRIPT)
        self._own = MemoryLimiter()
        self._lost_at: float | None = None

    async def start(self) -> None:
        try:
            await cast(Any, self._valkey).ping()
        except (ValkeyError, OSError, TimeoutError) as error:
            log.warning("valkey_lost", error=type(error).__name__)

    async def take(self, subject: str, per_minute: int, per_hour: int, cost: int = 1) -> Standing:
        if self._lost_at is None or time.monotonic() - self._lost_at > RETRY_SECONDS:
            try:
                # One slot for both counters on a cluster: the braces.
                numbers = await cast(Any, self._script)(
                    keys=[f"addtocrm:rate:{{{subject}}}"], args=[per_minute, per_hour, cost]
                )
            except (ValkeyError, OSError, TimeoutError) as error:
                if self._lost_at is None:
                    log.warning("valkey_lost", error=type(error).__name__)
                self._lost_at = time.monotonic()
            else:
                if self._lost_at is not None:
                    self._lost_at = None
                    log.info("valkey_back")
                allowed, seconds, micros, minute, hour = cast(list[int], numbers)
                return Standing(bool(allowed), seconds + micros / 1e6, per_minute, per_hour, minute, hour)
        metrics.RATE_LIMIT_FALLBACKS.inc()
        return await self._own.take(subject, per_minute, per_hour, cost)

    async def close(self) -> None:
        await self._valkey.aclose()
