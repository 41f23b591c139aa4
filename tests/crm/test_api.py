"""/v1/crm on a running server with the built-in CRM."""

import asyncio
from typing import Any

import pytest
from harness import Account, Server, cli, until

JANE: dict[str, Any] = {
    "id": "per_example",
    "linkedin_url": "https://www.linkedin.com/in/jane-doe-example",
    "first_name": "Jane",
    "last_name": "Doe",
    "full_name": "Jane Doe",
    "email": "jane.doe@acme.example.com",
    "email_status": "verified",
    "emails": [{"email": "jane.doe@acme.example.com", "type": "work"}, {"email": "jane@example.org"}],
    "phones": [{"number": "+1 555 0100", "type": "mobile"}],
    "location": {"city": "Springfield", "region": None, "country": "Freedonia", "country_code": "FD"},
    "company": {"name": "Acme", "domain": "acme.example.com", "industry": "Tools", "employee_count": 12},
    "skills": ["Selling"],
    "experience": [{"title": "Head of Sales", "is_current": True}],
    "education": [],
    "confidence": 0.9,
    "sources": {"email": {"provider": "dataset", "observed_at": "2030-01-01T00:00:00Z", "confidence": 1}},
}


@pytest.fixture
def account(server: Server) -> Account:
    return connected(server)


def connected(server: Server) -> Account:
    account = server.account()
    account.connect_builtin()
    return account


def write(account: Account, person: Any, **more: Any) -> Any:
    return account.client.post("/v1/crm/contacts", json={"person": person, **more})


def crm_events(account: Account) -> list[str]:
    return [one["type"] for one in account.events() if one["type"].startswith("crm.")]


def contacts(account: Account, **params: Any) -> list[dict[str, Any]]:
    answer = account.client.get("/v1/crm/contacts", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def test_what_an_enrichment_answers_is_taken_as_it_is(account: Account) -> None:
    first = write(account, JANE)
    assert first.status_code == 201, first.text
    made = first.json()["data"]
    assert (made["crm"], made["action"], made["fields_kept"]) == ("builtin", "created", [])
    assert {"linkedin_url", "email", "phone", "company_id"} <= set(made["fields_written"])
    assert made["url"].endswith(f"/dashboard/contacts/{made['contact_id']}")
    again = write(account, JANE)
    assert again.status_code == 200
    assert again.json()["data"] == {
        **made,
        "action": "unchanged",
        "matched_by": "linkedin_url",
        "fields_written": [],
    }
    assert crm_events(account) == ["crm.connected", "crm.company.created", "crm.contact.created"]
    (there,) = contacts(account, email="JANE.DOE@acme.example.com")
    assert (there["city"], there["other_emails"], there["company_id"]) == (
        "Springfield",
        ["jane@example.org"],
        made["company_id"],
    )
    assert contacts(account, linkedin_url="linkedin.com/in/Jane-Doe-Example/?trk=x") == [there]
    assert contacts(account, email="nobody@example.com") == []


def test_on_conflict(account: Account) -> None:
    url = {"linkedin_url": "https://www.linkedin.com/in/jane"}
    write(account, {**url, "job_title": "CTO"})
    filled = write(account, {**url, "job_title": "CEO", "phone": "+1 555 0100"}).json()["data"]
    assert (filled["action"], filled["fields_written"], filled["fields_kept"]) == ("updated", ["phone"], ["job_title"])
    skipped = write(account, {**url, "job_title": "CEO", "department": "X"}, on_conflict="skip", note="n").json()[
        "data"
    ]
    assert (skipped["action"], skipped["fields_written"]) == ("skipped", [])
    assert skipped["fields_kept"] == ["job_title", "department"]
    over = write(account, {**url, "job_title": "CEO", "phone": None}, on_conflict="overwrite").json()["data"]
    assert (over["action"], over["fields_written"]) == ("updated", ["job_title"])
    (there,) = contacts(account)
    assert (there["job_title"], there["phone"], there["department"]) == ("CEO", "+1 555 0100", None)
    assert crm_events(account).count("crm.contact.updated") == 2


def test_a_new_employer_is_not_mixed_with_the_old_one(account: Account) -> None:
    url = {"linkedin_url": "https://www.linkedin.com/in/jane"}
    first = write(account, {**url, "company_name": "Acme"}).json()["data"]
    moved = write(account, {**url, "company_name": "Globex", "company_domain": "globex.example.com"}).json()["data"]
    assert (moved["action"], moved["company_id"]) == ("unchanged", first["company_id"])
    assert set(moved["fields_kept"]) == {"company_name", "company_domain"}
    over = write(account, {**url, "company_name": "Globex"}, on_conflict="overwrite").json()["data"]
    assert over["company_id"] not in (None, first["company_id"])


def test_two_that_disagree_stay_two(account: Account) -> None:
    one = write(account, {"linkedin_url": "https://www.linkedin.com/in/a", "email": "a@example.com"}).json()["data"]
    other = write(account, {"linkedin_url": "https://www.linkedin.com/in/b", "email": "a@example.com"})
    assert other.status_code == 201
    assert other.json()["data"]["contact_id"] != one["contact_id"]
    assert other.json()["data"]["fields_kept"] == ["email"]
    write(account, {"email": "c@example.com"})
    mixed = {"linkedin_url": "https://www.linkedin.com/in/a", "email": "c@example.com"}
    decided = write(account, mixed, on_conflict="overwrite").json()["data"]
    assert (decided["contact_id"], decided["fields_kept"]) == (one["contact_id"], ["email"])
    assert len(contacts(account)) == 3


@pytest.mark.parametrize("round", range(3))
def test_the_same_person_at_once_by_whichever_key_is_one_contact(server: Server, account: Account, round: int) -> None:
    name = {"full_name": "Bob Roe", "company_name": "Acme"}
    by_url = {**name, "linkedin_url": "https://www.linkedin.com/in/bob-roe"}
    by_email = {**name, "email": "bob@acme.example.com"}

    async def all_at_once() -> list[Any]:
        async with server.async_client(account.token) as client:
            people = [by_url, by_email, {**by_url, **by_email}, by_email, by_url] * 4
            sent = (client.post("/v1/crm/contacts", json={"person": person}) for person in people)
            return await asyncio.gather(*sent)

    answers = asyncio.run(all_at_once())
    assert {one.status_code for one in answers} == {200, 201}
    assert len({one.json()["data"]["contact_id"] for one in answers}) == 1
    assert [one.status_code for one in answers].count(201) == 1
    assert len(contacts(account)) == 1
    assert crm_events(account).count("crm.contact.created") == 1
    assert crm_events(account).count("crm.company.created") == 1


def test_a_dry_run_writes_nothing(account: Account) -> None:
    before = write(account, JANE, dry_run=True, list="Leads", note="Hello")
    assert before.status_code == 200
    told = before.json()["data"]
    assert (told["action"], told["contact_id"], told["company_id"]) == ("created", None, None)
    assert {"company_id", "list", "note"} <= set(told["fields_written"])
    assert contacts(account) == []
    assert account.client.get("/v1/crm/lists").json() == {"data": [], "next_cursor": None}
    assert crm_events(account) == ["crm.connected"]
    done = write(account, JANE, list="Leads", note="Hello").json()["data"]
    assert done["fields_written"] == told["fields_written"]


def test_list_note_owner_and_custom_fields(account: Account) -> None:
    more = {"list": "Leads", "note": "Hello", "owner": account.email, "custom_fields": {"tier": "gold", "none": None}}
    first = write(account, JANE, **more).json()["data"]
    assert {"list", "note", "owner", "custom_fields.tier"} <= set(first["fields_written"])
    assert "custom_fields.none" not in first["fields_written"]
    assert write(account, JANE, **more).json()["data"]["action"] == "unchanged"
    assert write(account, JANE, **{**more, "note": "Another"}).json()["data"]["fields_written"] == ["note"]
    assert contacts(account)[0]["custom_fields"] == {"tier": "gold"}
    (owner,) = account.client.get("/v1/crm/owners").json()["data"]
    assert (owner["email"], owner["is_default"]) == (account.email, True)
    assert [one["name"] for one in account.client.get("/v1/crm/lists").json()["data"]] == ["Leads"]
    fields = account.client.get("/v1/crm/fields", params={"object": "contact", "limit": 100}).json()["data"]
    assert [one["name"] for one in fields if one["custom"]] == ["tier"]
    companies = account.client.get("/v1/crm/fields", params={"object": "company", "limit": 100}).json()["data"]
    assert "domain" in {one["name"] for one in companies}


def test_companies(account: Account) -> None:
    body = {"company": {"id": "com_x", "name": "Acme", "domain": "WWW.acme.example.com", "socials": {}, "new": 1}}
    first = account.client.post("/v1/crm/companies", json=body)
    assert first.status_code == 201, first.text
    same = account.client.post("/v1/crm/companies", json={"company": {"name": "ACME Inc."}})
    assert same.status_code == 200
    assert same.json()["data"]["company_id"] == first.json()["data"]["company_id"]
    assert same.json()["data"]["fields_kept"] == ["name"]
    nothing = account.client.post("/v1/crm/companies", json={"company": {"industry": "Tools"}})
    assert nothing.json()["error"]["details"][0]["path"] == "company"


def test_notes_and_tasks(account: Account) -> None:
    contact_id = write(account, JANE).json()["data"]["contact_id"]
    note = account.client.post("/v1/crm/notes", json={"contact_id": contact_id, "text": "Met at the fair."})
    assert note.status_code == 201
    assert note.json()["data"]["contact_id"] == contact_id
    task = {"contact_id": contact_id, "title": "Call", "due_at": "2030-01-31"}
    assert account.client.post("/v1/crm/tasks", json=task).status_code == 201
    for path, body in (("notes", {"text": "x"}), ("tasks", {"title": "x"})):
        unknown = account.client.post(f"/v1/crm/{path}", json={"contact_id": "cco_none", **body})
        assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "not_found")
    assert account.client.post("/v1/crm/tasks", json={**task, "due_at": "soon"}).status_code == 400


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "person"),
        ({"person": {}}, "person"),
        ({"person": {"phone": "+1 555 0100"}}, "person"),
        ({"person": {"full_name": "  ", "email": ""}}, "person"),
        ({"person": []}, "person"),
        ({"person": {"emails": [{"email": 7}]}}, "person.emails[0].email"),
        ({"person": {"company": {"name": []}}}, "person.company.name"),
        ({"person": {"full_name": "x" * 501}}, "person.full_name"),
        ({"person": {"full_name": "a\0b"}}, "person.full_name"),
        ({"person": {"linkedin_url": "https://example.com/in/jane"}}, "person.linkedin_url"),
        ({"person": {"email": "no address"}}, "person.email"),
        ({"person": {"full_name": "Jane", "company": {"domain": "no domain"}}}, "person.company.domain"),
        ({"person": {"full_name": "Jane"}, "surprise": 1}, "surprise"),
        ({"person": {"full_name": "Jane"}, "on_conflict": "merge"}, "on_conflict"),
        ({"person": {"full_name": "Jane"}, "owner": "nobody@example.com"}, "owner"),
        ({"person": {"full_name": "Jane"}, "custom_fields": {"a": "x", "b": {}}}, "custom_fields.b"),
        ({"person": {"full_name": "Jane"}, "list": "cli_0199d0c1b2a37c4d8e5f60718293a4b5"}, "list"),
        ({"person": {"full_name": "Jane"}, "expected_crm": "hubspot"}, "expected_crm"),
    ],
)
def test_bad_input_is_refused_by_its_path(account: Account, body: Any, path: str) -> None:
    answer = account.client.post("/v1/crm/contacts", json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "validation_error"
    assert answer.json()["error"]["details"][0]["path"].startswith(path)
    assert contacts(account) == []
    assert crm_events(account) == ["crm.connected"]


GETS = [
    "/v1/crm/info",
    "/v1/crm/contacts",
    "/v1/crm/fields",
    "/v1/crm/owners",
    "/v1/crm/lists",
    "/v1/crm/contacts/export",
]
POSTS: dict[str, dict[str, Any]] = {
    "/v1/crm/contacts": {"person": JANE},
    "/v1/crm/companies": {"company": {"name": "Acme"}},
    "/v1/crm/notes": {"contact_id": "cco_1", "text": "x"},
    "/v1/crm/tasks": {"contact_id": "cco_1", "title": "x"},
}


def test_without_a_crm_every_call_says_so_after_scope_and_body(server: Server) -> None:
    account = server.account()
    answers = [account.client.get(path) for path in GETS]
    answers += [account.client.post(path, json=body) for path, body in POSTS.items()]
    assert {(one.status_code, one.json()["error"]["type"]) for one in answers} == {(409, "crm_not_connected")}
    assert {account.client.post(path, json={"x": 1}).status_code for path in POSTS} == {400}
    reader = server.client(account.key(["read"]))
    assert {reader.post(path, json={"x": 1}).status_code for path in POSTS} == {403}
    assert {server.client(account.key(["enrich"])).get(path).status_code for path in GETS} == {403}


def test_reading_takes_read_or_write(server: Server, account: Account) -> None:
    for scope in ("read", "write"):
        client = server.client(account.key([scope]))
        assert {client.get(path).status_code for path in GETS} == {200}


def test_info(account: Account) -> None:
    told = account.client.get("/v1/crm/info").json()["data"]
    assert (told["crm"], told["status"], told["account_name"]) == ("builtin", "connected", account.email)
    assert {"contacts", "companies", "notes"} <= set(told["capabilities"])


def test_contacts_are_paged(account: Account) -> None:
    for number in range(5):
        write(account, {"full_name": f"Jane {number}"})
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = account.client.get("/v1/crm/contacts", params={"limit": 2, "cursor": cursor}).json()
        seen += [one["full_name"] for one in page["data"]]
        cursor = page["next_cursor"]
    assert seen == [f"Jane {number}" for number in range(5)]
    assert account.client.get("/v1/crm/contacts", params={"cursor": "?"}).status_code == 400
    assert account.client.get("/v1/crm/contacts", params={"email": "x"}).status_code == 400


def test_another_accounts_contacts_are_not_there(server: Server, account: Account) -> None:
    contact_id = write(account, JANE).json()["data"]["contact_id"]
    other = connected(server)
    assert contacts(other) == []
    note = other.client.post("/v1/crm/notes", json={"contact_id": contact_id, "text": "x"})
    assert note.status_code == 404
    assert write(other, JANE).status_code == 201


def test_export(server: Server, account: Account, tmp_path: Any) -> None:
    write(account, JANE)
    table = account.client.get("/v1/crm/contacts/export", params={"format": "csv"})
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    assert len(table.text.splitlines()) == 2
    assert "x-ratelimit-limit-minute" in table.headers
    cards = account.client.get("/v1/crm/contacts/export", params={"format": "vcard"})
    assert cards.text.startswith("BEGIN:VCARD\r\nVERSION:4.0\r\n")
    file = tmp_path / "people.vcf"
    done = cli("crm", "export", account.email, str(file), environment=server.environment)
    assert done == {"file": str(file), "contacts": 1}
    assert file.read_bytes().decode() == cards.text


def test_a_batch_of_people_is_a_job_whose_items_fail_alone(account: Account) -> None:
    people: list[dict[str, Any]] = [{"person": {"full_name": f"Jane {n}", "company_name": "Acme"}} for n in range(20)]
    items = [
        *people,
        {"person": {"headline": "Nobody"}},
        {"person": {"full_name": "Bob"}, "list": "cli_0199d0c1b2a37c4d8e5f60718293a4b5"},
        {"person": {"full_name": "Ann"}, "expected_crm": "hubspot"},
        {"person": {"full_name": "Cy"}, "dry_run": True},
        people[0],
    ]
    answer = account.client.post("/v1/batch/crm-contacts", json={"items": items})
    assert answer.status_code == 202, answer.text
    id = answer.json()["data"]["id"]
    job: Any = until(
        lambda: (one := account.client.get(f"/v1/jobs/{id}").json()["data"])["status"] == "completed" and one
    )
    assert (job["total"], job["succeeded"], job["failed"]) == (25, 22, 3)
    results = account.client.get(f"/v1/jobs/{id}/results", params={"limit": 100}).json()["data"]
    assert [one["status"] for one in results] == ["succeeded"] * 20 + ["failed"] * 3 + ["succeeded"] * 2
    assert [one["error"]["type"] for one in results[20:23]] == ["validation_error"] * 3
    done = [one["data"] for one in results if one["status"] == "succeeded"]
    assert done[20]["contact_id"] is None and done[20]["values"]["full_name"] == "Cy"
    assert {done[0]["contact_id"], done[21]["contact_id"]} == {done[0]["contact_id"]}
    assert sorted([done[0]["action"], done[21]["action"]]) == ["created", "unchanged"]
    there = account.client.get("/v1/crm/contacts", params={"limit": 100}).json()["data"]
    assert sorted(one["full_name"] for one in there) == sorted(f"Jane {n}" for n in range(20))
    assert len({one["company_id"] for one in there}) == 1
    assert crm_events(account).count("crm.contact.created") == 20


def test_a_batch_for_a_crm_that_was_disconnected_writes_nothing(account: Account) -> None:
    bare = account.server.account()
    answer = bare.client.post("/v1/batch/crm-contacts", json={"items": [{"person": JANE}]})
    assert (answer.status_code, answer.json()["error"]["type"]) == (409, "crm_not_connected")
    refused = account.client.post("/v1/batch/crm-contacts", json={"items": [{"person": JANE, "surprise": 1}]})
    assert refused.json()["error"]["details"][0]["path"] == "items[0].surprise"
    assert account.client.post("/v1/batch/crm-contacts", json={"items": []}).status_code == 400


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"person": {"full_name": "A B"}, "custom_fields": {"y": 1, "x": 1e400}}', "custom_fields.x"),
        (b'{"person": {"full_name": "A B"}, "custom_fields": {"x": -1e400}}', "custom_fields.x"),
        (b'{"person": {"full_name": "A B"}, "custom_fields": {"x": 1' + b"0" * 5000 + b"}}", "custom_fields.x"),
        (b'{"person": {"full_name": "A B"}, "custom_fields": {"x": NaN}}', ""),
        (b'{"person": {"full_name": "A B"}, "custom_fields": {"x": Infinity}}', ""),
        (b'{"person": {"full_name": "A B"}, "custom_fields": {"x": {}}, broken', "custom_fields[...]"),
    ],
)
def test_numbers_that_are_none_are_refused(account: Account, body: bytes, path: str) -> None:
    json = {"content-type": "application/json"}
    answer = account.client.post("/v1/crm/contacts", content=body, headers=json)
    assert (answer.status_code, answer.json()["error"]["details"][0]["path"]) == (400, path)
    batch = account.client.post("/v1/batch/crm-contacts", content=b'{"items": [' + body + b"]}", headers=json)
    assert batch.status_code == 400
    if path == "custom_fields.x":
        assert batch.json()["error"]["details"][0]["path"] == "items[0].custom_fields.x"


def test_the_mapping_of_the_builtin_crm_is_shown_and_stays(account: Account) -> None:
    shown = account.client.get("/v1/crm/mapping", params={"object": "company"}).json()["data"]
    assert (shown["crm"], shown["object"], shown["is_default"]) == ("builtin", "company", True)
    assert {"field": "domain", "from": ["domain"]}.items() <= shown["rules"][1].items()
    rules = [{"field": "full_name", "from": ["full_name"]}]
    answer = account.client.put("/v1/crm/mapping", json={"rules": rules})
    assert (answer.status_code, answer.json()["error"]["details"][0]["path"]) == (400, "rules")
    assert account.client.get("/v1/crm/mapping", params={"object": "lead"}).status_code == 400


def test_connecting_and_disconnecting(server: Server, account: Account) -> None:
    cli("crm", "connect", account.email, "builtin", environment=server.environment)
    assert crm_events(account) == ["crm.connected"]
    cli("crm", "disconnect", account.email, environment=server.environment)
    assert account.client.get("/v1/crm/info").status_code == 409
    assert crm_events(account) == ["crm.connected", "crm.disconnected"]
