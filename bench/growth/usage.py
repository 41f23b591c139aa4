"""What an account has used, as GET /v1/usage tells it."""

import json
from collections.abc import Callable

from bench.deployment import Deployment
from bench.figure import Figure, milliseconds, ratios


def reader(deployment: Deployment, charges: int) -> Callable[[], float]:
    """Reads the usage of an account with `charges` charges in its ledger; gives the milliseconds."""
    account_id, token = deployment.account(f"usage{charges}@example.com")
    deployment.sql(
        f"""do $$ begin
                for part in 1..{charges // 500} loop
                    insert into ledger (id, account_id, kind, amount, operation, request_id, period_start)
                    select new_id('led'), id, 'charge', -1,
                           case n % 2 when 0 then 'people.enrich' else 'emails.find' end, 'request', period_start
                    from accounts, generate_series(1, 500) n where id = '{account_id}';
                    commit;
                end loop;
            end $$"""
    )
    told = json.loads(deployment.call("/v1/usage", token=token))["data"]
    assert told["credits"]["used"] == charges
    return lambda: milliseconds(lambda: deployment.call("/v1/usage", token=token))


def figure(deployment: Deployment) -> Figure:
    with deployment.serve():
        small, large = reader(deployment, 20_000), reader(deployment, 200_000)
        deployment.sql("vacuum analyze usage")
        return Figure("GET /v1/usage with 20,000 charges in the ledger (ms)", *ratios(large, small), "≤ 1.3")
