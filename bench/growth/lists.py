"""The account's lists, with many members on them."""

from collections.abc import Callable

from bench.deployment import Deployment
from bench.figure import Figure, milliseconds, ratios


def reader(deployment: Deployment, members: int) -> Callable[[], float]:
    account_id, token = deployment.account(f"lists{members}@example.com")
    deployment.sql("insert into lists (id, account_id, name) values ('lst_' || $2::int, $1, 'L')", account_id, members)
    deployment.sql(
        """insert into list_members (id, list_id, identity, person)
           select 'mem_' || $1 || '_' || n, 'lst_' || $1, 'in:' || n, '{}' from generate_series(1, $1::int) n""",
        members,
    )
    return lambda: milliseconds(lambda: deployment.call("/v1/lists", token=token))


def figure(deployment: Deployment) -> Figure:
    with deployment.serve():
        small, large = reader(deployment, 10_000), reader(deployment, 100_000)
        return Figure("/v1/lists with 10,000 members (ms)", *ratios(large, small), "≤ 1.3")
