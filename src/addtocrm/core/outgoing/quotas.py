"""Where it is counted what an account at a vendor was asked: in Valkey, in PostgreSQL, or in this process.

All three count alike. A window is cut into PARTS; a request counts in the part in which it was granted and until a
whole window after that part's end, so that no window of the vendor's clock holds more than its quota. When the answer
is there, the request is counted in that part instead (a window later at most): it reached the vendor in between.
"""

import time
from typing import Any, NamedTuple, Protocol, cast

import msgspec
from valkey.asyncio import Valkey

from addtocrm.core import valkeys
from addtocrm.core.db.pool import Pool
from addtocrm.core.outgoing.vendor import Quota

PARTS = 40
SINGLE_SECONDS = 0.5
"""For so long bulk work stands back after a single call was put off."""
CALL_SECONDS = 300.0
"""A call that has not ended after this belongs to a dead process."""


class Asked(NamedTuple):
    """The word on one request: `wait` seconds before asking again makes sense, 0 where it was granted, `at` (epoch
    seconds of the counter's clock)."""

    wait: float
    at: float


class Quotas(Protocol):
    async def take(self, account: str, quota: Quota, call: str, bulk: bool) -> Asked:
        """Grants one request, named `call`, where every window and the concurrency allow it."""
        ...

    async def done(self, account: str, quota: Quota, call: str, at: float) -> None:
        """The call granted `at` has ended."""
        ...

    async def pause(self, account: str, seconds: float) -> None:
        """Grants nothing for `seconds`: the vendor said so."""
        ...

    async def close(self) -> None: ...


class _Counts(msgspec.Struct):
    parts: dict[float, dict[int, int]] = msgspec.field(default_factory=dict[float, dict[int, int]])
    calls: dict[str, float] = msgspec.field(default_factory=dict[str, float])
    paused_until: float = 0.0
    single_until: float = 0.0


class MemoryQuotas:
    """Counts in this process."""

    def __init__(self) -> None:
        self._accounts: dict[str, _Counts] = {}

    async def take(self, account: str, quota: Quota, call: str, bulk: bool) -> Asked:
        now = time.time()
        counts = self._accounts.setdefault(account, _Counts())
        wait = max(counts.paused_until - now, counts.single_until - now if bulk else 0.0)
        for window in quota.windows:
            width = window.seconds / PARTS
            parts = counts.parts.setdefault(window.seconds, {})
            for part in [part for part in parts if part < now // width - PARTS]:
                del parts[part]
            if sum(parts.values()) >= window.requests:
                oldest = min(part for part, used in parts.items() if used)
                wait = max(wait, (oldest + PARTS + 1) * width - now)
        counts.calls = {name: began for name, began in counts.calls.items() if began > now - CALL_SECONDS}
        if quota.concurrency is not None and len(counts.calls) >= quota.concurrency:
            wait = max(wait, 0.05)
        if wait > 0:
            if not bulk:
                counts.single_until = now + SINGLE_SECONDS
            return Asked(wait, now)
        for window in quota.windows:
            parts = counts.parts[window.seconds]
            part = int(now // (window.seconds / PARTS))
            parts[part] = parts.get(part, 0) + 1
        if quota.concurrency is not None:
            counts.calls[call] = now
        if not bulk:
            counts.single_until = 0.0
        return Asked(0, now)

    async def done(self, account: str, quota: Quota, call: str, at: float) -> None:
        now = time.time()
        counts = self._accounts.setdefault(account, _Counts())
        counts.calls.pop(call, None)
        for window in quota.windows:
            width = window.seconds / PARTS
            granted, ended = int(at // width), int(now // width)
            parts = counts.parts.get(window.seconds, {})
            if ended > granted and parts.get(granted):
                parts[granted] -= 1
                late = min(ended, granted + PARTS)
                parts[late] = parts.get(late, 0) + 1

    async def pause(self, account: str, seconds: float) -> None:
        counts = self._accounts.setdefault(account, _Counts())
        counts.paused_until = max(counts.paused_until, time.time() + seconds)

    async def close(self) -> None:
        """Nothing is held."""


TAKE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local call, bulk, concurrency = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3])
local parts, patience, single, longest = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), 60
local state = redis.call('HMGET', KEYS[1], 'paused', 'single')
local wait = math.max(0, (tonumber(state[1]) or 0) - now)
if bulk then wait = math.max(wait, (tonumber(state[2]) or 0) - now) end
local found = redis.call('HGETALL', KEYS[1])
for i = 7, #ARGV, 2 do
    local requests, seconds = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
    local width, used, oldest = seconds / parts, 0, nil
    local prefix = ARGV[i + 1] .. '@'
    longest = math.max(longest, seconds * 2)
    for j = 1, #found, 2 do
        if string.sub(found[j], 1, #prefix) == prefix then
            local part, count = tonumber(string.sub(found[j], #prefix + 1)), tonumber(found[j + 1])
            if part < math.floor(now / width) - parts then
                redis.call('HDEL', KEYS[1], found[j])
            else
                used = used + count
                if count > 0 and (oldest == nil or part < oldest) then oldest = part end
            end
        end
    end
    if used >= requests then wait = math.max(wait, ((oldest or math.floor(now / width)) + parts + 1) * width - now) end
end
if concurrency > 0 then
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - patience)
    if redis.call('ZCARD', KEYS[2]) >= concurrency then wait = math.max(wait, 0.05) end
end
if wait > 0 then
    if not bulk then redis.call('HSET', KEYS[1], 'single', now + single) end
else
    for i = 7, #ARGV, 2 do
        local part = math.floor(now / (tonumber(ARGV[i + 1]) / parts))
        redis.call('HINCRBY', KEYS[1], ARGV[i + 1] .. '@' .. string.format('%.0f', part), 1)
    end
    if concurrency > 0 then redis.call('ZADD', KEYS[2], now, call) end
    if not bulk then redis.call('HDEL', KEYS[1], 'single') end
end
redis.call('EXPIRE', KEYS[1], math.ceil(math.max(longest, wait * 2)))
redis.call('EXPIRE', KEYS[2], math.ceil(patience * 2))
return {string.format('%.6f', wait), string.format('%.6f', now)}
"""

DONE = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local call, at, parts = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREM', KEYS[2], call)
for i = 4, #ARGV do
    local width = tonumber(ARGV[i]) / parts
    local granted, ended = math.floor(at / width), math.floor(now / width)
    local field = ARGV[i] .. '@' .. string.format('%.0f', granted)
    if ended > granted and tonumber(redis.call('HGET', KEYS[1], field) or '0') > 0 then
        redis.call('HINCRBY', KEYS[1], field, -1)
        redis.call('HINCRBY', KEYS[1], ARGV[i] .. '@' .. string.format('%.0f', math.min(ended, granted + parts)), 1)
    end
end
"""

PAUSE = """
local time = redis.call('TIME')
local till = tonumber(time[1]) + tonumber(time[2]) / 1000000 + tonumber(ARGV[1])
if till > (tonumber(redis.call('HGET', KEYS[1], 'paused') or '0')) then
    redis.call('HSET', KEYS[1], 'paused', string.format('%.6f', till))
end
redis.call('EXPIRE', KEYS[1], math.ceil(tonumber(ARGV[1]) * 2 + 60))
"""


class ValkeyQuotas:
    """Counts in Valkey (or Redis), by its clock."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey
        self._take = valkey.register_script(TAKE)
        self._done = valkey.register_script(DONE)
        self._pause = valkey.register_script(PAUSE)

    async def take(self, account: str, quota: Quota, call: str, bulk: bool) -> Asked:
        windows = [number for window in quota.windows for number in (window.requests, window.seconds)]
        wait, at = await cast(Any, self._take)(
            keys=_keys(account),
            args=[call, int(bulk), quota.concurrency or 0, PARTS, CALL_SECONDS, SINGLE_SECONDS, *windows],
        )
        return Asked(float(wait), float(at))

    async def done(self, account: str, quota: Quota, call: str, at: float) -> None:
        seconds = [window.seconds for window in quota.windows]
        await cast(Any, self._done)(keys=_keys(account), args=[call, at, PARTS, *seconds])

    async def pause(self, account: str, seconds: float) -> None:
        await cast(Any, self._pause)(keys=_keys(account)[:1], args=[seconds])

    async def close(self) -> None:
        await self._valkey.aclose()


class PostgresQuotas:
    """Counts in PostgreSQL, by its clock (see the functions `quota_…`)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def take(self, account: str, quota: Quota, call: str, bulk: bool) -> Asked:
        row = await self._pool.fetchrow(
            "select wait, at from quota_take($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            account,
            call,
            bulk,
            quota.concurrency,
            [window.requests for window in quota.windows],
            [window.seconds for window in quota.windows],
            PARTS,
            CALL_SECONDS,
            SINGLE_SECONDS,
        )
        assert row is not None
        return Asked(row["wait"], row["at"])

    async def done(self, account: str, quota: Quota, call: str, at: float) -> None:
        seconds = [window.seconds for window in quota.windows]
        await self._pool.execute("select quota_done($1, $2, $3, $4, $5)", account, call, at, seconds, PARTS)

    async def pause(self, account: str, seconds: float) -> None:
        await self._pool.execute("select quota_pause($1, $2)", account, seconds)

    async def close(self) -> None:
        """The pool is its owner's."""


def shared(valkey_url: str | None, pool: Pool) -> Quotas:
    """The counts that all processes share: in Valkey where there is one, else in PostgreSQL."""
    if valkey_url is None:
        return PostgresQuotas(pool)
    return ValkeyQuotas(Valkey.from_url(valkeys.address(valkey_url), socket_timeout=2))


def _keys(account: str) -> list[str]:
    return [f"addtocrm:quota:{{{account}}}", f"addtocrm:quota:{{{account}}}:calls"]
