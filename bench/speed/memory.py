"""Memory of the idle processes."""

from bench.deployment import Deployment, process_memory
from bench.figure import Figure


def figure(deployment: Deployment) -> Figure:
    with deployment.serve() as server:
        worker, jobs = process_memory(server, "worker", "VmRSS"), process_memory(server, "jobs", "VmRSS")
    return Figure("memory of one idle worker (MB), and of the jobs process", worker, jobs, None, "≤ 120 MB")
