"""What a worker's memory grows by while it sends a job's results as CSV."""

from bench.deployment import Deployment, process_memory
from bench.figure import Figure
from bench.growth.job_poll import ended_job


def grown(deployment: Deployment, items: int) -> float:
    """Megabytes that a fresh worker needs beyond an idle one's, at the most."""
    id = ended_job(deployment, items)
    with deployment.serve() as server:
        deployment.call(f"/v1/jobs/{id}")
        before = process_memory(server, "worker", "VmRSS")
        lines = deployment.call(f"/v1/jobs/{id}/results?format=csv").count("\n")
        assert lines == items + 1
        return process_memory(server, "worker", "VmHWM") - before


def figure(deployment: Deployment) -> Figure:
    small, large = grown(deployment, 10_000), grown(deployment, 100_000)
    return Figure("memory for the CSV of 10,000 results (MB)", large, small, large / small, "≤ 1.3")
