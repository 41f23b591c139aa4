"""What an import loses to the index that is followed beside it."""

import itertools

from bench.crowd import imported
from bench.deployment import Deployment
from bench.figure import Figure, ratios
from bench.following import following

ROWS = 60_000


def figure(deployment: Deployment) -> Figure:
    firsts = itertools.count(0, ROWS)

    def followed() -> float:
        with following(deployment):
            return imported(deployment, next(firsts), ROWS)

    title = f"imports of {ROWS:,} people with the index that follows, against without (rows a second)"
    return Figure(title, *ratios(followed, lambda: imported(deployment, next(firsts), ROWS)), "≥ 0.85")
