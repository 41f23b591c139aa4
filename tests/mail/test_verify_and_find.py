"""Verifying and finding through the API: what is answered, what it costs, and what the mail servers saw."""

import asyncio
import csv
import io
import json
import re
from typing import Any

import pytest
from harness import Account, Server, until
from smtp_server import SmtpServer
from world import WorldBeside

VERIFY, FIND, BATCH = "/v1/emails/verify", "/v1/emails/find", "/v1/batch/emails-verify"


@pytest.fixture
def account(mail_server: Server) -> Account:
    return mail_server.account(credits=100)


def verify(account: Account, email: str, **more: Any) -> Any:
    answer = account.client.post(VERIFY, json={"email": email, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def asked_about(server: SmtpServer, email: str) -> int:
    return server.recipients().count(email)


def test_a_verification_costs_a_credit_once(account: Account, mail: WorldBeside) -> None:
    server = mail.server("acme.test", mailboxes={"jane@acme.test"})
    first = verify(account, "jane@acme.test")
    assert first["data"]["result"] == "deliverable"
    assert first["data"]["reason"] == "accepted"
    assert first["data"]["smtp"]["connected"] and first["data"]["smtp"]["accepted"]
    assert (first["cached"], first["credits_deducted"], first["credits_remaining"]) == (False, 1, 99)
    for spelling in (" jane@ACME.test ", "jane@acme.test"):
        again = verify(account, spelling)
        assert (again["cached"], again["credits_deducted"], again["data"]) == (True, 0, first["data"])
    assert asked_about(server, "jane@acme.test") == 1
    refreshed = verify(account, "jane@acme.test", refresh=True)
    assert (refreshed["cached"], refreshed["credits_deducted"]) == (False, 1)
    assert verify(account, "nobody@acme.test")["data"]["reason"] == "no_such_user"
    assert not any(line.upper().startswith("DATA") for line in server.lines)
    until(lambda: all(session[-1] == "QUIT" for session in server.sessions))
    told = [event for event in account.events() if event["type"] == "email.verified"]
    assert [event["data"]["result"] for event in told] == ["deliverable", "deliverable", "undeliverable"]


def test_no_address_and_unknown_are_free_and_not_kept(account: Account, mail: WorldBeside) -> None:
    answers = iter(["451 4.3.0 later", "250 2.1.5 ok", "550 5.1.1 no such user"])
    mail.server("moody.test", rcpt=lambda address: next(answers))
    broken = verify(account, "not an address")
    assert broken["data"]["reason"] == "invalid_syntax"
    assert (broken["cached"], broken["credits_deducted"], broken["credits_remaining"]) == (False, 0, 100)
    unknown = verify(account, "jane@moody.test")
    assert unknown["data"]["result"] == "unknown"
    assert (unknown["credits_deducted"], unknown["credits_remaining"]) == (0, 100)
    assert verify(account, "jane@moody.test")["credits_deducted"] == 1


def test_two_hundred_at_once_are_one_dialogue_and_one_credit(account: Account, mail: WorldBeside) -> None:
    server = mail.server("crowd.test", mailboxes={"jane@crowd.test"}, delay=0.05)

    async def crowd() -> list[Any]:
        async with account.server.async_client(account.token, connections=200) as client:
            calls = [client.post(VERIFY, json={"email": "jane@crowd.test"}) for _ in range(200)]
            return [answer.json() for answer in await asyncio.gather(*calls)]

    answers = asyncio.run(crowd())
    assert {answer["data"]["result"] for answer in answers} == {"deliverable"}
    assert sum(answer["credits_deducted"] for answer in answers) == 1
    assert sum(not answer["cached"] for answer in answers) == 1
    assert len(server.sessions) == 1 and asked_about(server, "jane@crowd.test") == 1
    assert account.usage()["credits"]["used"] == 1


@pytest.mark.parametrize(
    "body", [{}, {"email": 7}, {"email": None}, {"email": "a@b.test", "fast": True}, {"email": "a" * 1001}, []]
)
def test_what_is_no_question_is_refused(account: Account, body: Any) -> None:
    answer = account.client.post(VERIFY, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "validation_error"


def test_an_address_is_found_by_the_pattern_of_the_domain(account: Account, mail: WorldBeside) -> None:
    server = mail.server("globex.test", mailboxes={"j.doe@globex.test"})
    account.server.query(
        """insert into people (id, identity, email, data)
           values ('per_known', 'em:m.roe@globex.test', 'm.roe@globex.test',
                   '{"first_name": "Mary", "last_name": "Roe", "email": "m.roe@globex.test"}') returning id"""
    )
    asked = {"first_name": "Jane", "last_name": "Doe", "domain": "https://www.globex.test/about"}
    found = account.client.post(FIND, json=asked).json()
    assert found["data"]["email"] == "j.doe@globex.test"
    assert found["data"]["pattern"] == "{f}.{last}"
    assert (found["cached"], found["credits_deducted"]) == (False, 1)
    assert server.recipients()[0] == "j.doe@globex.test"
    again = account.client.post(FIND, json={**asked, "first_name": "JANE", "domain": "globex.test"}).json()
    assert (again["cached"], again["credits_deducted"], again["data"]) == (True, 0, found["data"])


def test_what_is_not_found_is_free(account: Account, mail: WorldBeside) -> None:
    mail.server("empty.test")
    answer = account.client.post(FIND, json={"first_name": "Jane", "last_name": "Doe", "domain": "empty.test"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found")
    assert account.usage()["credits"]["used"] == 0
    for domain in ("no domain", "127.0.0.1", ""):
        refused = account.client.post(FIND, json={"first_name": "Jane", "last_name": "Doe", "domain": domain})
        assert refused.json()["error"]["details"][0]["path"] == "domain"
    nameless = account.client.post(FIND, json={"first_name": "!", "last_name": "", "domain": "empty.test"})
    assert nameless.status_code == 400


def test_a_person_without_an_address_gets_one_where_it_is_required(account: Account, mail: WorldBeside) -> None:
    server = mail.server("initech.test", mailboxes={"jane.doe@initech.test"})
    person = {
        "linkedin_url": "https://www.linkedin.com/in/jane-initech",
        "first_name": "Jane",
        "last_name": "Doe",
        "company": {"name": "Initech", "domain": "initech.test"},
    }
    account.server.query(
        "insert into people (id, identity, data) values ('per_jane', 'in:jane-initech', $1) returning id",
        json.dumps(person),
    )
    without = account.enrich("jane-initech").json()
    assert without["data"]["email"] is None and not server.sessions
    completed = account.enrich("jane-initech", required=["email"]).json()
    assert completed["data"]["email"] == "jane.doe@initech.test"
    assert completed["data"]["email_status"] == "deliverable"
    assert completed["data"]["sources"]["email"]["provider"] == "finder"
    assert completed["data"]["sources"]["first_name"]["provider"] == "dataset"
    assert completed["credits_deducted"] == 1
    assert account.enrich("jane-initech", required=["email"]).json()["cached"]
    missing = account.enrich("jane-initech", required=["email", "headline"])
    assert missing.status_code == 404


def ended(account: Account, id: str) -> Any:
    def look() -> Any:
        job = account.client.get(f"/v1/jobs/{id}").json()["data"]
        return job if job["status"] not in ("queued", "running") else None

    return until(look)


def results(account: Account, id: str) -> list[Any]:
    return account.client.get(f"/v1/jobs/{id}/results", params={"limit": 1000}).json()["data"]


def test_a_batch_verifies_each_address_once_over_few_connections(account: Account, mail: WorldBeside) -> None:
    people = [f"p{number}@hooli.test" for number in range(20)]
    server = mail.server("hooli.test", mailboxes=set(people))
    answer = account.client.post(BATCH, json={"items": [*people, "P0@hooli.test", " p1@HOOLI.test", "none"]})
    assert answer.status_code == 202
    job = ended(account, answer.json()["data"]["id"])
    assert (job["status"], job["total"], job["succeeded"], job["credits_deducted"]) == ("completed", 23, 23, 21)
    items = results(account, job["id"])
    assert [item["position"] for item in items] == list(range(1, 24))
    assert {item["data"]["result"] for item in items[:20]} == {"deliverable"}
    assert items[20]["data"]["reason"] == "no_such_user"
    assert items[21]["data"]["email"] == "p1@hooli.test"
    assert (items[21]["cached"], items[21]["credits_deducted"]) == (True, 0)
    assert items[22]["data"]["reason"] == "invalid_syntax" and items[22]["credits_deducted"] == 0
    assert len(server.sessions) < 20 and server.most_open <= 2
    assert all(asked_about(server, one) == 1 for one in people)
    assert account.usage()["credits"]["used"] == 21
    text = account.client.get(f"/v1/jobs/{job['id']}/results", params={"format": "csv"}).text
    table = list(csv.DictReader(io.StringIO(text)))
    assert [row["position"] for row in table] == [str(number) for number in range(1, 24)]
    assert (table[0]["input"], table[0]["result"], table[0]["smtp.code"]) == (people[0], "deliverable", "250")
    assert (table[21]["cached"], table[21]["credits_deducted"], table[21]["is_role"]) == ("true", "0", "false")
    assert verify(account, people[7])["cached"]


def test_a_batch_comes_back_where_it_is_greylisted(account: Account, mail: WorldBeside) -> None:
    seen: list[str] = []

    def greylist(address: str) -> str:
        seen.append(address)
        if address == "jane@grey.test":
            return "451 4.7.1 Greylisted, try again in 200 seconds" if seen.count(address) == 1 else "250 2.1.5 ok"
        return "550 5.1.1 no such user"

    mail.server("grey.test", rcpt=greylist)
    id = account.client.post(BATCH, json={"items": ["jane@grey.test"]}).json()["data"]["id"]
    waiting = (
        "select not_before > now() + interval '1 minute' as later from job_items where job_id = $1 and attempts = 1"
    )
    until(lambda: [row["later"] for row in account.server.query(waiting, id)] == [True])
    let_go = "select from jobs where id = $1 and instance is null and due_at > now() + interval '1 minute'"
    until(lambda: account.server.query(let_go, id))
    assert account.usage()["credits"]["remaining"] == 100
    account.server.query("update job_items set not_before = now() where job_id = $1 returning 1", id)
    account.server.query("update jobs set due_at = now() where id = $1 returning 1", id)
    job = ended(account, id)
    assert (job["succeeded"], job["credits_deducted"]) == (1, 1)
    assert results(account, id)[0]["data"]["result"] == "deliverable"


def test_a_batch_asks_afresh_once(account: Account, mail: WorldBeside) -> None:
    """A try that was paid and then lost is found again; what was known before the batch is not."""
    server = mail.server("fresh.test", mailboxes={"jane@fresh.test"})
    verify(account, "jane@fresh.test")
    items = [{"email": "jane@fresh.test", "refresh": True}]
    id = account.client.post(BATCH, json={"items": items}).json()["data"]["id"]
    assert ended(account, id)["credits_deducted"] == 1
    assert asked_about(server, "jane@fresh.test") == 2
    account.server.query("update job_items set status = 'pending', result = null where job_id = $1 returning 1", id)
    account.server.query("update jobs set status = 'queued', succeeded = 0, pending = 1 where id = $1 returning 1", id)
    assert ended(account, id)["status"] == "completed"
    assert (results(account, id)[0]["cached"], results(account, id)[0]["credits_deducted"]) == (False, 1)
    assert asked_about(server, "jane@fresh.test") == 2 and account.usage()["credits"]["used"] == 2


def test_a_batch_ends_at_its_credits_and_says_so(mail_server: Server, mail: WorldBeside) -> None:
    account = mail_server.account(credits=3)
    people = [f"p{number}@poor.test" for number in range(6)]
    mail.server("poor.test", mailboxes=set(people))
    job = ended(account, account.client.post(BATCH, json={"items": people}).json()["data"]["id"])
    assert (job["succeeded"], job["failed"], job["credits_deducted"]) == (3, 3, 3)
    assert {item["error"]["type"] for item in results(account, job["id"]) if item["error"]} == {"insufficient_credits"}


def test_a_cancelled_batch_leaves_the_rest_unasked(account: Account, mail: WorldBeside) -> None:
    people = [f"p{number}@slow.test" for number in range(60)]
    server = mail.server("slow.test", mailboxes=set(people), delay=0.4)
    id = account.client.post(BATCH, json={"items": people}).json()["data"]["id"]
    until(server.recipients)
    account.client.post(f"/v1/jobs/{id}/cancel")
    job = ended(account, id)
    assert job["status"] == "cancelled"
    used = account.usage()["credits"]["used"]
    assert used == job["credits_deducted"] == job["succeeded"]
    assert used == len([event for event in account.events() if event["type"] == "email.verified"]) < 60
    assert len(server.recipients()) < 60
    assert "cancelled" in {item["status"] for item in results(account, id)}


def test_a_batch_survives_kill_9(mail: WorldBeside, new_server: Any) -> None:
    people = [f"p{number}@tough.test" for number in range(60)]
    server = mail.server("tough.test", mailboxes=set(people), delay=0.03)
    first = new_server(**mail.environment)
    account = first.account(credits=100)
    items = [{"email": one, "refresh": True} for one in people]
    id = account.client.post(BATCH, json={"items": items}).json()["data"]["id"]
    until(lambda: account.client.get(f"/v1/jobs/{id}").json()["data"]["succeeded"] > 5)
    first.kill()
    again = new_server(first.database_url, **mail.environment)
    account.client = again.client(account.token)
    account.server = again
    job = ended(account, id)
    assert (job["status"], job["succeeded"]) == ("completed", 60)
    assert account.usage()["credits"]["used"] == 60
    assert len([event for event in account.events() if event["type"] == "email.verified"]) == 60
    assert server.most_open <= 4


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "items"),
        ({"items": []}, "items"),
        ({"items": ["a@b.test", 7]}, "items[1]"),
        ({"items": [{"mail": "a@b.test"}]}, "items[0]"),
        ({"items": ["a@b.test"] * 10_001}, "items"),
    ],
)
def test_a_batch_of_the_wrong_shape_is_refused(account: Account, body: Any, path: str) -> None:
    answer = account.client.post(BATCH, json=body)
    assert answer.status_code == 400
    assert re.match(re.escape(path), answer.json()["error"]["details"][0]["path"]), answer.text


def test_many_people_and_companies(account: Account) -> None:
    account.server.add_people("many-1", "many-2")
    items = ["https://www.linkedin.com/in/many-1", {"linkedin_url": "linkedin.com/in/MANY-2/"}, "nothing", "in/many-1"]
    answer = account.client.post("/v1/batch/people-enrich", json={"items": items})
    assert answer.status_code == 202
    job = ended(account, answer.json()["data"]["id"])
    assert (job["kind"], job["succeeded"], job["failed"], job["credits_deducted"]) == ("people.enrich", 3, 1, 2)
    rows = results(account, job["id"])
    assert rows[1]["data"]["last_name"] == "many-2"
    assert rows[2]["error"]["type"] == "validation_error"
    assert (rows[3]["data"], rows[3]["cached"], rows[3]["credits_deducted"]) == (rows[0]["data"], True, 0)
    account.server.query(
        """insert into companies (id, identity, domain, data)
           values ('com_many', 'do:many.test', 'many.test', '{"name": "Many", "domain": "many.test"}') returning id"""
    )
    answer = account.client.post("/v1/batch/companies-lookup", json={"items": ["many.test", {"name": "Unknown Ltd"}]})
    job = ended(account, answer.json()["data"]["id"])
    assert (job["succeeded"], job["failed"]) == (1, 1)
    assert results(account, job["id"])[0]["data"]["name"] == "Many"
