"""Lists: members once, pages, and the push to the CRM as a job that survives a crash."""

import asyncio
from typing import Any

import pytest
from harness import Account, Server, until


@pytest.fixture
def account(server: Server) -> Account:
    return server.account()


def new_list(account: Account, name: str = "Autumn") -> str:
    response = account.client.post("/v1/lists", json={"name": name})
    assert response.status_code == 201, response.text
    return response.json()["data"]["id"]


def add(account: Account, id: str, *people: dict[str, Any]) -> Any:
    return account.client.post(f"/v1/lists/{id}/members", json={"people": list(people)})


def test_a_lists_life(account: Account) -> None:
    id = new_list(account)
    shown = account.client.get(f"/v1/lists/{id}").json()["data"]
    assert (shown["name"], shown["description"], shown["members"]) == ("Autumn", None, 0)
    changed = account.client.patch(f"/v1/lists/{id}", json={"description": "Leads"})
    assert changed.status_code == 200
    assert changed.json()["data"]["description"] == "Leads"
    assert account.client.patch(f"/v1/lists/{id}", json={"description": None}).json()["data"]["description"] is None
    assert account.client.patch(f"/v1/lists/{id}", json={}).status_code == 200
    assert account.client.delete(f"/v1/lists/{id}").status_code == 200
    assert account.client.get(f"/v1/lists/{id}").status_code == 404
    types = [event["type"] for event in account.events()][1:]
    assert types == ["list.created", "list.updated", "list.updated", "list.deleted"]


def test_pages(account: Account) -> None:
    ids = [new_list(account, f"List {number}") for number in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        page = account.client.get("/v1/lists", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [one["id"] for one in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ids


def test_the_same_person_once(account: Account) -> None:
    id = new_list(account)
    jane = {"linkedin_url": "https://www.linkedin.com/in/jane-doe-example", "email": "jane@example.com"}
    first = add(account, id, jane, {"full_name": "Ana Núñez", "company_name": "Acme Inc."})
    assert first.status_code == 201
    assert first.json()["data"]["added"] == 2
    again = add(
        account,
        id,
        {"linkedin_url": "de.linkedin.com/in/Jane-Doe-Example/?trk=x"},
        {"email": "jane@EXAMPLE.com"},
        {"first_name": "ana", "last_name": "nunez", "company_name": "ACME GmbH"},
    )
    assert again.status_code == 200
    assert again.json()["data"]["added"] == 0
    assert len({member["id"] for member in again.json()["data"]["members"]}) == 2
    other = add(account, id, {"linkedin_url": "linkedin.com/in/other-example", "email": "jane@example.com"})
    assert other.json()["data"]["added"] == 1, "another URL is another person, whatever the e-mail"
    members = account.client.get(f"/v1/lists/{id}/members").json()["data"]
    assert len(members) == 3
    assert members[0]["person"] == jane
    assert account.client.delete(f"/v1/lists/{id}/members/{members[0]['id']}").status_code == 200
    assert account.client.delete(f"/v1/lists/{id}/members/{members[0]['id']}").status_code == 404


def test_at_once(account: Account) -> None:
    id = new_list(account)
    body = {"people": [{"linkedin_url": f"linkedin.com/in/p{n}-example"} for n in range(20)]}

    async def run() -> list[Any]:
        async with account.server.async_client(account.token) as client:
            return await asyncio.gather(*(client.post(f"/v1/lists/{id}/members", json=body) for _ in range(20)))

    answers = asyncio.run(run())
    assert {answer.status_code for answer in answers} == {200, 201}
    assert sum(answer.json()["data"]["added"] for answer in answers) == 20
    assert account.client.get(f"/v1/lists/{id}").json()["data"]["members"] == 20


@pytest.mark.parametrize(
    ("people", "path"),
    [
        ([], "people"),
        ([{}], "people[0]"),
        (
            [{"linkedin_url": "linkedin.com/in/a-example"}, {"linkedin_url": "linkedin.com/company/a"}],
            "people[1].linkedin_url",
        ),
        ([{"email": "nobody"}], "people[0].email"),
        ([{"email": 5}], "people[0].email"),
        ([{"full_name": "x" * 1000}], "people[0].full_name"),
        ([{"full_name": "x"}] * 1001, "people"),
    ],
)
def test_bad_members(account: Account, people: list[Any], path: str) -> None:
    response = add(account, new_list(account), *people)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["details"][0]["path"] == path


def test_another_accounts_list_is_not_there(server: Server, account: Account) -> None:
    id = new_list(server.account())
    account.connect_builtin()
    client = account.client
    for response in (
        client.get(f"/v1/lists/{id}"),
        client.patch(f"/v1/lists/{id}", json={"name": "x"}),
        client.delete(f"/v1/lists/{id}"),
        client.get(f"/v1/lists/{id}/members"),
        add(account, id, {"email": "a@example.com"}),
        client.post(f"/v1/lists/{id}/push", json={}),
        client.get("/v1/lists/%00"),
    ):
        assert response.status_code == 404, response.text
        assert response.json()["error"]["type"] == "not_found"


def test_push_needs_a_crm(account: Account) -> None:
    response = account.client.post(f"/v1/lists/{new_list(account)}/push", json={})
    assert (response.status_code, response.json()["error"]["type"]) == (409, "crm_not_connected")


def push(account: Account, id: str) -> str:
    response = account.client.post(f"/v1/lists/{id}/push", json={})
    assert response.status_code == 202, response.text
    return response.json()["data"]["id"]


def ended(account: Account, job: str) -> dict[str, Any]:
    def look() -> Any:
        shown = account.client.get(f"/v1/jobs/{job}").json()["data"]
        return shown["status"] in ("completed", "failed", "cancelled") and shown

    return until(look)


def test_push_writes_each_member_once(account: Account) -> None:
    account.connect_builtin()
    id = new_list(account)
    add(account, id, *({"linkedin_url": f"linkedin.com/in/push{n}-example", "full_name": f"P {n}"} for n in range(30)))
    for action in ("created", "unchanged"):
        job = push(account, id)
        shown = ended(account, job)
        assert (shown["status"], shown["total"], shown["succeeded"], shown["failed"]) == ("completed", 30, 30, 0)
        results = account.client.get(f"/v1/jobs/{job}/results?limit=100").json()["data"]
        assert [one["position"] for one in results] == list(range(1, 31))
        assert {one["data"]["action"] for one in results} == {action}
    csv = account.client.get(f"/v1/jobs/{job}/results?format=csv")
    assert csv.headers["content-type"].startswith("text/csv")
    assert len(csv.text.splitlines()) == 31
    types = [event["type"] for event in account.events()]
    assert types.count("crm.contact.created") == 30
    assert types.count("job.completed") == 2


def test_a_push_survives_a_crash(new_server: Any) -> None:
    server: Server = new_server()
    account = server.account()
    account.connect_builtin()
    id = new_list(account)
    add(account, id, *({"linkedin_url": f"linkedin.com/in/k{n}-example", "full_name": f"K {n}"} for n in range(600)))
    job = push(account, id)
    for _ in range(2):
        before = account.client.get(f"/v1/jobs/{job}").json()["data"]["succeeded"]
        until(lambda: account.client.get(f"/v1/jobs/{job}").json()["data"]["succeeded"] > before)
        server.kill()
        server.start()
    shown = ended(account, job)
    assert (shown["status"], shown["succeeded"], shown["failed"]) == ("completed", 600, 0)
    count = server.query("select count(*)::int as n from crm_contacts where account_id = $1", account.id)[0]["n"]
    assert count == 600
    types = [event["type"] for event in account.events()]
    assert types.count("crm.contact.created") == 600
    assert types.count("job.completed") == 1


def test_cancel(account: Account) -> None:
    account.connect_builtin()
    id = new_list(account)
    add(account, id, *({"linkedin_url": f"linkedin.com/in/c{n}-example", "full_name": f"C {n}"} for n in range(900)))
    job = push(account, id)
    cancelled = account.client.post(f"/v1/jobs/{job}/cancel").json()["data"]
    assert cancelled["status"] == "cancelled"
    assert cancelled["pending"] == 0
    again = account.client.post(f"/v1/jobs/{job}/cancel").json()["data"]
    assert again["status"] == "cancelled"
    assert account.client.get("/v1/jobs/job_nothing").status_code == 404
