"""A poll of a job."""

from collections.abc import Callable

from bench.deployment import Deployment
from bench.figure import Figure, milliseconds, ratios


def ended_job(deployment: Deployment, items: int) -> str:
    """A job of so many enrichments that has ended, without the work."""
    id = f"job_{items}"
    deployment.sql(
        """with made as (
               insert into jobs (id, account_id, kind, scope, status, caller, options, total, succeeded, finished_at)
               values ($1, $2, 'people.enrich', 'enrich', 'completed', '{}', '{}', $3, $3, now()) returning id)
           insert into job_items (job_id, position, input, status, result)
           select made.id, n, to_json('linkedin.com/in/b' || n || '-example'), 'succeeded', data
           from made, generate_series(1, $3::int) n, lateral (
               select data::json from people where identity = 'in:b' || (n % 30000 + 1) || '-example') person""",
        id,
        deployment.account_id,
        items,
    )
    return id


def poller(deployment: Deployment, items: int) -> Callable[[], float]:
    id = ended_job(deployment, items)
    return lambda: milliseconds(lambda: deployment.call(f"/v1/jobs/{id}"))


def figure(deployment: Deployment) -> Figure:
    with deployment.serve():
        small, large = poller(deployment, 10_000), poller(deployment, 100_000)
        return Figure("a poll of a job of 10,000 items (ms)", *ratios(large, small), "≤ 1.3")
