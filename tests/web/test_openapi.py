"""The document is whole and true: valid OpenAPI 3.1, every path, its examples; the page needs no internet."""

import re
from typing import Any

import jsonschema_rs
from harness import Account, Server
from schemathesis.specs.openapi.definitions import OPENAPI_31

from addtocrm.core import cursors


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, one) for path, entry in document["paths"].items() for method, one in entry.items()]


def test_every_path_is_described(document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for method, path, _ in operations(document)}
    for wanted in (
        "POST /v1/people/enrich",
        "POST /v1/companies/lookup",
        "POST /v1/emails/verify",
        "POST /v1/emails/find",
        "POST /v1/batch/people-enrich",
        "POST /v1/batch/companies-lookup",
        "POST /v1/batch/emails-verify",
        "GET /v1/crm/info",
        "POST /v1/crm/contacts",
        "GET /v1/crm/contacts",
        "POST /v1/crm/companies",
        "POST /v1/crm/notes",
        "POST /v1/crm/tasks",
        "GET /v1/crm/fields",
        "GET /v1/crm/mapping",
        "PUT /v1/crm/mapping",
        "GET /v1/crm/contacts/export",
        "POST /v1/batch/crm-contacts",
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
        if not path.startswith("/v1/"):
            assert operation["security"] == []
            continue
        assert operation["x-required-scopes"], (method, path)
        assert operation["description"], (method, path)
        assert {"401", "403", "429", "500"} <= set(operation["responses"]), (method, path)
        body = operation.get("requestBody")
        if body:
            assert {"400", "413", "415"} <= set(operation["responses"]), (method, path)
            assert "example" in body["content"]["application/json"], (method, path)
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    jsonschema_rs.validate(OPENAPI_31, document)
    for name, schema in document["components"]["schemas"].items():
        assert jsonschema_rs.meta.is_valid(schema), name


def test_the_examples_work_when_copied(account: Account, document: dict[str, Any]) -> None:
    list_id = account.client.post("/v1/lists", json={"name": "For examples"}).json()["data"]["id"]
    people = {"people": [{"full_name": "Ex Ample", "email": "ex.ample@example.com"}]}
    account.client.post(f"/v1/lists/{list_id}/members", json=people)
    member_id = account.client.get(f"/v1/lists/{list_id}/members").json()["data"][0]["id"]
    contact = account.client.post("/v1/crm/contacts", json={"person": {"full_name": "Ex Ample"}}).json()["data"]
    for method, path, operation in operations(document):
        body = operation.get("requestBody")
        if not body:
            continue
        example = dict(body["content"]["application/json"]["example"])
        if "contact_id" in example:
            example["contact_id"] = contact["contact_id"]
        address = path.replace("{id}", list_id).replace("{member_id}", member_id)
        answer = account.client.request(method.upper(), address, json=example)
        if path == "/v1/crm/mapping":
            # The example is of another CRM's field: the built-in one has no rules to change.
            assert (answer.status_code, answer.json()["error"]["details"][0]["path"]) == (400, "rules")
            continue
        assert answer.is_success, (method, path, answer.text)


def test_every_query_parameter_works(account: Account, document: dict[str, Any]) -> None:
    client = account.client
    people = [{"full_name": f"Parameter {n}", "email": f"p{n}@acme.example.com"} for n in range(3)]
    lists = [client.post("/v1/lists", json={"name": f"P{n}"}).json()["data"]["id"] for n in range(2)]
    assert client.post(f"/v1/lists/{lists[0]}/members", json={"people": people}).is_success
    for person in people:
        assert client.post("/v1/crm/contacts", json={"person": person}).is_success
    job = client.post("/v1/batch/companies-lookup", json={"items": ["a.example.com", "b.example.com"]}).json()["data"]
    values = {
        "since": ["2026-01-31T09:00:00Z"],
        "type": ["crm.contact.created", "list.created,list.updated"],
        "email": ["p1@acme.example.com"],
        "linkedin_url": ["https://www.linkedin.com/in/jane-doe"],
        "limit": [1],
    }
    used = set()
    for method, path, operation in operations(document):
        url = path.replace("{id}", job["id"] if "/jobs/" in path else lists[0])
        for parameter in operation["parameters"]:
            if parameter["in"] != "query":
                continue
            name, schema = parameter["name"], parameter["schema"]
            if name == "cursor":
                first = client.get(url, params={"limit": 1}).json()
                tried = [first["next_cursor"] or cursors.encode(0)]
            else:
                tried = schema.get("enum") or values[name]
            for value in [*tried, *([tried] if schema.get("type") == "array" else [])]:
                answer = client.request(method.upper(), url, params={name: value})
                if (name, value) == ("object", "lead"):
                    assert answer.status_code == 400, "the built-in CRM has no leads"
                    continue
                assert answer.status_code == 200, (url, name, value, answer.text)
            used.add((path, name))
    assert len(used) >= 20
    kinds = {one["type"] for one in client.get("/v1/events?type=list.created&type=crm.contact.created").json()["data"]}
    assert kinds == {"list.created", "crm.contact.created"}
    assert client.get("/v1/events?type=crm.switched").json()["data"] == []


def test_the_example_answers_are_what_the_schemas_say(document: dict[str, Any]) -> None:
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            content = answer["content"].get("application/json")
            if content and "example" in content:
                whole = {**content["schema"], "components": document["components"]}
                assert jsonschema_rs.is_valid(whole, content["example"]), (method, path, status, content["example"])
    answer = document["paths"]["/v1/people/enrich"]["post"]["responses"]["200"]["content"]["application/json"]
    assert answer["example"]["data"]["full_name"] == "Jane Doe"


def test_the_statuses_are_those_that_come(document: dict[str, Any]) -> None:
    def successes(path: str) -> set[str]:
        return {status for status in document["paths"][path]["post"]["responses"] if status < "300"}

    assert successes("/v1/crm/contacts") == {"200", "201"}
    assert successes("/v1/crm/notes") == successes("/v1/lists") == {"201"}
    assert successes("/v1/batch/emails-verify") == {"202"}


def test_the_page_needs_no_internet(server: Server) -> None:
    client = server.client()
    response = client.get("/docs")
    assert response.status_code == 200
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "<code>person.location.city</code>" in response.text and "/v1/people/enrich" in response.text
    assert "<style" not in response.text and "<script>" not in response.text
    links = re.findall(r"(?:src|href)=[\"']([^\"'#]+)", response.text)
    assert links and not [one for one in links if "//" in one]
    assets = {one for one in links if "/assets/" in one}
    assert len(assets) == 5 and all(client.get(one).status_code == 200 for one in assets)
