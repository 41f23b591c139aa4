"""P2: a cached enrichment against the same on FastAPI, SQLAlchemy and slowapi."""

from bench.deployment import BIN, CACHED, THEIR_PORT, Deployment, load, process
from bench.figure import Figure, ratios


def figure(deployment: Deployment) -> Figure:
    database = deployment.url.replace("postgresql://", "postgresql+asyncpg://")
    options = ("--port", THEIR_PORT, "--log-level", "warning", "--loop", "uvloop")
    with deployment.serve():
        deployment.call("/v1/people/enrich", CACHED)
        with process(
            BIN / "uvicorn", "bench.against.fastapi_app:app", *options, port=THEIR_PORT, BENCH_DATABASE_URL=database
        ):
            found = ratios(deployment.cached, lambda: load(THEIR_PORT, 2_000, 32, deployment.token, CACHED))
    return Figure("P2 the same against FastAPI + SQLAlchemy + slowapi", *found, "≥ 10")
