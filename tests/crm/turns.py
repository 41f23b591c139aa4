"""The turns that the product gave its own requests to a vendor.

When they arrive there is up to the machine: who counts arrivals counts also what it stopped on the way.
"""

from typing import Any

import pytest

from addtocrm.core.outgoing.quotas import Asked, MemoryQuotas, PostgresQuotas


class Turns:
    """By the names of the vendor's quotas, the times at which requests were granted, from now on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._times: dict[str, list[float]] = {}
        for counter in (MemoryQuotas, PostgresQuotas):
            monkeypatch.setattr(counter, "take", self._noted(counter.take))

    def _noted(self, take: Any) -> Any:
        async def noted(counter: Any, account: str, *asked: Any) -> Asked:
            word = await take(counter, account, *asked)
            if word.wait <= 0:
                self._times.setdefault(account.partition(":")[0], []).append(word.at)
            return word

        return noted

    def keep(self, name: str, requests: int, seconds: float, *, asked: int) -> bool:
        """Whether each of the `asked` requests had its turn, with never more than `requests` in `seconds`."""
        times = sorted(self._times[name])
        within = all(later - one >= seconds for one, later in zip(times, times[requests:], strict=False))
        return len(times) >= asked > 0 and within
