"""Results that this process answered lately, so that a repeat needs no SQL."""

import hashlib
import time
from collections import OrderedDict
from datetime import datetime

from addtocrm.lookups.model import Ref

MOST_BYTES = 32 * 2**20


class HotResults:
    """A bounded map of look-ups to their encoded results, and of request bodies to look-ups.

    PostgreSQL stays the truth: entries go when they expire, on NOTIFY (by their account and digest), and all at once
    when notices may have been missed.
    """

    def __init__(self) -> None:
        self._results: OrderedDict[Ref, tuple[bytes, float]] = OrderedDict()
        self._refs: dict[str, dict[str, Ref]] = {}
        self._requests: OrderedDict[tuple[str, str, bytes], Ref] = OrderedDict()
        self._bytes = 0
        self.version = 0
        """Changes whenever something was forgotten: what was read before must not be put after."""

    def get(self, ref: Ref) -> bytes | None:
        """The encoded result of `ref`, if it is known and not expired."""
        entry = self._results.get(ref)
        if entry is None:
            return None
        if entry[1] <= time.time():
            self._drop(ref)
            return None
        self._results.move_to_end(ref)
        return entry[0]

    def put(self, ref: Ref, data: bytes, expires_at: datetime, version: int) -> None:
        """Keeps a result that was read when `version` was current."""
        self._drop(ref)
        if version != self.version:
            return
        self._results[ref] = (data, expires_at.timestamp())
        self._refs.setdefault(ref.account_id, {})[digest(ref)] = ref
        self._bytes += len(data)
        while self._bytes > MOST_BYTES:
            self._drop(next(iter(self._results)))

    def remember(self, account_id: str, path: str, body: bytes, ref: Ref) -> None:
        """Notes that this request, byte for byte, asks for `ref` and nothing else."""
        if len(body) > 1024 or ref not in self._results:
            return
        self._requests[(account_id, path, body)] = ref
        if len(self._requests) > 20_000:
            self._requests.popitem(last=False)

    def repeat(self, account_id: str, path: str, body: bytes) -> tuple[Ref, bytes] | None:
        """The look-up and the result of a request seen before, byte for byte."""
        ref = self._requests.get((account_id, path, body))
        data = self.get(ref) if ref else None
        return (ref, data) if ref and data is not None else None

    def forget(self, account_id: str) -> None:
        """Drops all results of an account."""
        self.version += 1
        for ref in list(self._refs.get(account_id, {}).values()):
            self._drop(ref)

    def forget_one(self, account_id: str, digest: str) -> None:
        """Drops the result with this digest."""
        self.version += 1
        ref = self._refs.get(account_id, {}).get(digest)
        if ref:
            self._drop(ref)

    def clear(self) -> None:
        self.version += 1
        self._results.clear()
        self._refs.clear()
        self._requests.clear()
        self._bytes = 0

    def _drop(self, ref: Ref) -> None:
        entry = self._results.pop(ref, None)
        if entry:
            self._bytes -= len(entry[0])
            refs = self._refs[ref.account_id]
            del refs[digest(ref)]
            if not refs:
                del self._refs[ref.account_id]


def digest(ref: Ref) -> str:
    """How a notice names a result within its account (the SQL function `result_notice`)."""
    return hashlib.md5(f"{ref.operation}\n{ref.key}".encode(), usedforsecurity=False).hexdigest()
