"""The fields of the built-in CRM, of an account with many contacts that have custom fields."""

from collections.abc import Callable

from bench.deployment import Deployment
from bench.figure import Figure, milliseconds, ratios


def reader(deployment: Deployment, contacts: int) -> Callable[[], float]:
    email = f"fields{contacts}@example.com"
    account_id, token = deployment.account(email)
    deployment.cli("crm", "connect", email, "builtin")
    deployment.sql(
        """insert into crm_contacts (id, account_id, custom)
           select 'cco_' || $2 || '_' || n, $1, '{"tier": "a", "score": 7}' from generate_series(1, $2::int) n""",
        account_id,
        contacts,
    )
    return lambda: milliseconds(lambda: deployment.call("/v1/crm/fields?object=contact", token=token))


def figure(deployment: Deployment) -> Figure:
    with deployment.serve():
        small, large = reader(deployment, 50_000), reader(deployment, 500_000)
        return Figure("/v1/crm/fields with 50,000 contacts (ms)", *ratios(large, small), "≤ 1.3")
