"""What a worker's memory grows by while it sends the results of five jobs as CSV at once."""

from concurrent.futures import ThreadPoolExecutor

from bench.deployment import Deployment, process_memory
from bench.figure import Figure
from bench.growth.job_poll import ended_job

AT_ONCE = 5


def grown(deployment: Deployment, items: int) -> float:
    """Megabytes that a fresh worker needs beyond an idle one's, at the most."""
    id = ended_job(deployment, items)
    with deployment.serve() as server, ThreadPoolExecutor(AT_ONCE) as callers:
        deployment.call(f"/v1/jobs/{id}")
        before = process_memory(server, "worker", "VmRSS")
        paths = [f"/v1/jobs/{id}/results?format=csv"] * AT_ONCE
        assert [text.count("\n") for text in callers.map(deployment.call, paths)] == [items + 1] * AT_ONCE
        return process_memory(server, "worker", "VmHWM") - before


def figure(deployment: Deployment) -> Figure:
    small, large = grown(deployment, 10_000), grown(deployment, 100_000)
    return Figure("memory for five CSVs of 10,000 results at once (MB)", large, small, large / small, "≤ 1.3")
