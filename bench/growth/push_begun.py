"""What a worker's memory grows by, and for how long it answers nobody, while a list becomes the items of a job."""

import json
import threading
import time

from bench.deployment import Deployment, process_memory
from bench.figure import Figure

MEMBERS = 10_300


def begun(deployment: Deployment, members: int) -> tuple[float, float]:
    """Megabytes beyond an idle worker's at the most, and the slowest answer (ms) that another caller had."""
    account_id, token = deployment.account(f"push{members}@example.com")
    deployment.cli("crm", "connect", f"push{members}@example.com", "builtin")
    id = f"lst_{members}"
    deployment.sql("insert into lists (id, account_id, name) values ($2, $1, 'L')", account_id, id)
    deployment.sql(
        """insert into list_members (id, list_id, identity, person)
           select 'mem_' || $1 || '_' || n, $1, 'in:' || n, json_build_object('full_name', 'M ' || n)
           from generate_series(1, $2::int) n""",
        id,
        members,
    )
    slowest, over = 0.0, threading.Event()

    def ask() -> None:
        nonlocal slowest
        while not over.is_set():
            began = time.perf_counter()
            deployment.call("/healthz")
            slowest = max(slowest, time.perf_counter() - began)

    with deployment.serve() as server:
        deployment.call("/v1/usage", token=token)
        before = process_memory(server, "worker", "VmRSS")
        asking = threading.Thread(target=ask)
        asking.start()
        job = json.loads(deployment.call(f"/v1/lists/{id}/push", "{}", token=token))["data"]
        over.set()
        asking.join()
        grown = process_memory(server, "worker", "VmHWM") - before
        assert job["total"] == members, job
        deployment.call(f"/v1/jobs/{job['id']}/cancel", "{}", token=token)
    return grown, slowest * 1000


def figure(deployment: Deployment) -> Figure:
    (small, stalled), (large, stalled_large) = begun(deployment, MEMBERS), begun(deployment, 10 * MEMBERS)
    title = (
        f"memory for the push of a list of {MEMBERS:,} (MB); slowest answer meanwhile {stalled:.0f} ms, "
        f"and {stalled_large:.0f} ms at ten times"
    )
    return Figure(title, large, small, large / small, "≤ 1.3")
