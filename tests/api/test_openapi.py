"""The document is whole and true: every path, its examples, and what schemathesis finds against the server."""

import re
from typing import Any

import pytest
import schemathesis
from harness import Account, Server, with_pool
from hypothesis import HealthCheck, given, settings

from addtocrm import sample
from addtocrm import settings as settings_module
from addtocrm.crm import connections
from addtocrm.dataset import service as dataset


@pytest.fixture(scope="module")
def account(server: Server) -> Account:
    account = server.account(credits=100_000)
    configured = settings_module.load({"ADDTOCRM_DATABASE_URL": server.database_url})

    async def prepare(pool: Any) -> None:
        await dataset.import_people(pool, sample.people_file(), lambda _: None)
        await dataset.import_companies(pool, sample.companies_file(), lambda _: None)
        await connections.connect(pool, configured, account.id, "builtin")

    with_pool(server.database_url, prepare)
    return account


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    return server.client().get("/openapi.json").json()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, one) for path, entry in document["paths"].items() for method, one in entry.items()]


def test_every_path_is_described(document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for method, path, _ in operations(document)}
    for wanted in (
        "POST /v1/people/enrich",
        "POST /v1/companies/lookup",
        "GET /v1/crm/info",
        "POST /v1/crm/contacts",
        "GET /v1/crm/contacts",
        "POST /v1/crm/companies",
        "POST /v1/crm/notes",
        "POST /v1/crm/tasks",
        "GET /v1/crm/fields",
        "GET /v1/crm/owners",
        "GET /v1/crm/lists",
        "GET /v1/lists",
        "POST /v1/lists",
        "GET /v1/lists/{id}",
        "PATCH /v1/lists/{id}",
        "DELETE /v1/lists/{id}",
        "GET /v1/lists/{id}/members",
        "POST /v1/lists/{id}/members",
        "DELETE /v1/lists/{id}/members/{member_id}",
        "POST /v1/lists/{id}/push",
        "GET /v1/jobs/{id}",
        "GET /v1/jobs/{id}/results",
        "POST /v1/jobs/{id}/cancel",
        "GET /v1/usage",
        "GET /v1/events",
    ):
        assert tuple(wanted.split()) in described
    for method, path, operation in operations(document):
        assert operation["x-scopes"], (method, path)
        assert {"401", "403", "429", "500"} <= set(operation["responses"]), (method, path)
        body = operation.get("requestBody")
        if body:
            assert "example" in body["content"]["application/json"], (method, path)


def test_the_examples_work_when_copied(account: Account, document: dict[str, Any]) -> None:
    list_id = account.client.post("/v1/lists", json={"name": "For examples"}).json()["data"]["id"]
    contact = account.client.post("/v1/crm/contacts", json={"person": {"full_name": "Ex Ample"}}).json()["data"]
    for method, path, operation in operations(document):
        body = operation.get("requestBody")
        if not body:
            continue
        example = dict(body["content"]["application/json"]["example"])
        if "contact_id" in example:
            example["contact_id"] = contact["contact_id"]
        answer = account.client.request(method.upper(), path.replace("{id}", list_id), json=example)
        assert answer.is_success, (method, path, answer.text)


def test_the_page_needs_no_internet(server: Server) -> None:
    response = server.client().get("/docs")
    assert response.status_code == 200
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert not re.findall(r"(?:src|href)=[\"'](?:https?:)?//", response.text)
    assert "/v1/people/enrich" in response.text


def test_schemathesis_finds_nothing(account: Account) -> None:
    """All checks that apply, over every operation."""
    schema = schemathesis.openapi.from_url(f"{account.server.url}/openapi.json")
    checks = [
        schemathesis.checks.CHECKS.get_one(name)
        for name in (
            "not_a_server_error",
            "status_code_conformance",
            "content_type_conformance",
            "response_headers_conformance",
            "response_schema_conformance",
            "negative_data_rejection",
            "unsupported_method",
        )
    ]
    headers = {"Authorization": f"Bearer {account.token}"}
    problems: list[str] = []
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=25,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        def run(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=headers, checks=checks)

        try:
            given(case=operation.as_strategy())(run)()
        except Exception as error:
            problems.append(f"{operation.label}: {error}"[:1500])
    assert not problems, "\n\n".join(problems)
