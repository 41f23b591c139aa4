"""A circuit for each vendor account: who does not answer is left alone for a while, then tried with one call."""

import time

import msgspec

FAILURES = 5
"""So many in a row open the circuit."""
FIRST_SECONDS = 10.0
LONGEST_SECONDS = 120.0
REMEMBERED = 10_000


class _State(msgspec.Struct):
    failures: int = 0
    open_until: float = 0.0
    seconds: float = msgspec.field(default_factory=lambda: FIRST_SECONDS)
    trying: bool = False


class Circuits:
    """The circuits of this process, by account name."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}

    def closed_in(self, account: str) -> float:
        """Seconds for which nothing is to be sent; 0 where a call may go out. Where the time is over, that is said
        to one caller, who must report how it went."""
        state = self._states.get(account)
        if state is None or state.failures < FAILURES:
            return 0
        left = state.open_until - time.monotonic()
        if left > 0:
            return left
        if state.trying:
            return 1.0
        state.trying = True
        return 0

    def succeeded(self, account: str) -> None:
        self._states.pop(account, None)

    def failed(self, account: str) -> bool:
        """Counts a failure; True where it opened the circuit."""
        if len(self._states) >= REMEMBERED:
            self._states.clear()
        state = self._states.setdefault(account, _State())
        state.failures += 1
        if state.failures < FAILURES:
            return False
        if state.trying:
            state.seconds = min(state.seconds * 2, LONGEST_SECONDS)
        state.trying = False
        state.open_until = time.monotonic() + state.seconds
        return state.failures == FAILURES

    def abandoned(self, account: str) -> None:
        """The caller that tried was called off: the next one tries."""
        if state := self._states.get(account):
            state.trying = False

    def open(self, vendor: str) -> int:
        """How many accounts of the vendor are left alone."""
        return sum(
            1 for name, state in self._states.items() if name.startswith(f"{vendor}:") and state.failures >= FAILURES
        )
