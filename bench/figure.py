"""A measured figure, and how two contestants are compared."""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

ROUNDS = 5


class Figure(NamedTuple):
    """A row of RESULTS.md: `ours` is held against `theirs` (of growth: the larger size against the smaller)."""

    title: str
    ours: float
    theirs: float
    ratio: float | None
    goal: str


def ratios(ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, float, float]:
    """(ours, theirs, ratio) as medians of ROUNDS alternating rounds after a warm-up."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(ROUNDS)]
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


def milliseconds(work: Callable[[], Any], times: int = 50) -> float:
    """The median time that `work` takes."""
    taken: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000
