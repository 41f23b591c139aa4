"""Writing a contact whose name many others have."""

import json

from bench.deployment import Deployment
from bench.figure import Figure, milliseconds, ratios


def writer(deployment: Deployment, namesakes: int) -> "tuple[str, str]":
    email = f"namesakes{namesakes}@example.com"
    account_id, token = deployment.account(email)
    deployment.cli("crm", "connect", email, "builtin")
    deployment.sql(
        """insert into crm_contacts (id, account_id, full_name, name_key, company_name, company_key, linkedin_url)
           select 'cco_' || $2 || '_' || n, $1, 'Jo Roe', 'jo roe', 'C ' || n, 'c ' || n, 'u' || n
           from generate_series(1, $2::int) n""",
        account_id,
        namesakes,
    )
    return token, json.dumps({"person": {"full_name": "Jo Roe", "company_name": "C 7"}})


def figure(deployment: Deployment) -> Figure:
    small, large = writer(deployment, 1_000), writer(deployment, 10_000)
    deployment.sql("analyze crm_contacts")
    with deployment.serve():

        def write(account: tuple[str, str]) -> float:
            token, body = account
            return milliseconds(lambda: deployment.call("/v1/crm/contacts", body, token))

        return Figure(
            "a write beside 1,000 namesakes (ms)", *ratios(lambda: write(large), lambda: write(small)), "≤ 1.3"
        )
