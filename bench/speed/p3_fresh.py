"""P3: a fresh enrichment against asyncpg's least transaction."""

import sys

from bench.deployment import FRESH, PORT, Deployment, load, output
from bench.figure import Figure, ratios


def figure(deployment: Deployment) -> Figure:
    def ours() -> float:
        deployment.sql("delete from results")
        return load(PORT, 5_000, 16, deployment.token, FRESH)

    def theirs() -> float:
        return float(output(sys.executable, "-m", "bench.against.asyncpg_transaction", deployment.url, 5_000, 16))

    with deployment.serve():
        found = ratios(ours, theirs)
    return Figure("P3 fresh enrichment against asyncpg's least transaction", *found, "≥ 0.50")
