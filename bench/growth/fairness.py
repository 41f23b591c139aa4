"""A small job of one account beside the large ones of another."""

import json
import statistics

from bench.deployment import Deployment
from bench.figure import ROUNDS, Figure

ITEMS = 2_000


def figure(deployment: Deployment) -> Figure:
    _, small = deployment.account("small@example.com")
    large = json.dumps(
        {"items": [{"linkedin_url": f"linkedin.com/in/b{n}-example", "refresh": True} for n in range(1, ITEMS + 1)]}
    )

    def beside(more: int) -> float:
        """Seconds that a job of one item takes once there are so many more large ones."""
        for _ in range(more):
            deployment.call("/v1/batch/people-enrich", large)
        item = {"linkedin_url": "linkedin.com/in/b1-example", "refresh": True}
        return statistics.median(deployment.job("people-enrich", [item], small) for _ in range(ROUNDS))

    with deployment.serve():
        few, many = beside(5), beside(45)
        left = deployment.sql("select count(*) from jobs where status = 'running'")
        assert left, "the large jobs are still there"
    return Figure(f"a job of one item beside another's 5 of {ITEMS:,} (seconds)", many, few, many / few, "≤ 3 s")
