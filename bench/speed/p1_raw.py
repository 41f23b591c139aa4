"""P1: a cached enrichment against an ASGI application without a framework."""

from bench.deployment import CACHED, THEIR_PORT, Deployment, granian, load
from bench.figure import Figure, ratios


def figure(deployment: Deployment) -> Figure:
    with deployment.serve():
        answer = deployment.call("/v1/people/enrich", CACHED)
        with granian("bench.against.raw_asgi:app", BENCH_ANSWER=answer):
            found = ratios(deployment.cached, lambda: load(THEIR_PORT, 20_000, 32, "x", CACHED))
    return Figure("P1 cached enrichment against a raw ASGI application", *found, "≥ 0.50")
