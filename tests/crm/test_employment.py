"""What belongs to an employment moves together or not at all."""

from typing import Any

import pytest
from harness import Account, Server

URL = "https://www.linkedin.com/in/jo-moves-example"
OLD: dict[str, Any] = {
    "linkedin_url": URL,
    "full_name": "Jo Moves",
    "company_name": "Acme",
    "company_domain": "acme.example.com",
}


@pytest.fixture
def account(server: Server) -> Account:
    account = server.account()
    account.connect_builtin()
    return account


def write(account: Account, person: Any, **more: Any) -> dict[str, Any]:
    answer = account.client.post("/v1/crm/contacts", json={"person": person, **more})
    assert answer.is_success, answer.text
    return answer.json()["data"]


def contact(account: Account) -> dict[str, Any]:
    return account.client.get("/v1/crm/contacts", params={"linkedin_url": URL}).json()["data"][0]


def test_overwriting_the_employer_leaves_nothing_of_the_old_one(account: Account) -> None:
    before = write(account, {**OLD, "job_title": "CTO", "seniority": "c_suite", "email": "jo@acme.example.com"})
    done = write(
        account, {"linkedin_url": URL, "company_name": "Globex", "department": "Sales"}, on_conflict="overwrite"
    )
    there = contact(account)
    told = [there[name] for name in ("company_name", "company_domain", "job_title", "seniority", "department")]
    assert told == ["Globex", None, None, None, "Sales"]
    assert there["company_id"] not in (None, before["company_id"])
    assert there["email"] == "jo@acme.example.com", "the contact is known by it"
    assert {"company_name", "company_domain", "company_id", "job_title", "seniority"} <= set(done["fields_written"])
    again = write(
        account, {"linkedin_url": URL, "company_name": "Globex", "department": "Sales"}, on_conflict="overwrite"
    )
    assert again["action"] == "unchanged"


def test_overwriting_with_the_same_employer_keeps_the_rest(account: Account) -> None:
    write(account, {**OLD, "job_title": "CTO"})
    write(account, {"linkedin_url": URL, "company_name": "ACME Inc."}, on_conflict="overwrite")
    there = contact(account)
    assert (there["company_domain"], there["job_title"]) == ("acme.example.com", "CTO")


def test_filling_puts_nothing_of_the_new_employment_on_the_old_employer(account: Account) -> None:
    write(account, OLD)
    new = {
        "linkedin_url": URL,
        "email": "jo@globex.example.com",
        "job_title": "CEO",
        "department": "Management",
        "seniority": "c_suite",
        "company": {"name": "Globex", "domain": "globex.example.com"},
        "phone": "+1 555 0100",
    }
    done = write(account, new)
    there = contact(account)
    assert [there[name] for name in ("email", "job_title", "department", "seniority")] == [None] * 4
    assert (there["company_name"], there["company_domain"]) == ("Acme", "acme.example.com")
    assert there["phone"] == "+1 555 0100"
    assert {"email", "job_title", "department", "seniority", "company_name", "company_domain"} <= set(
        done["fields_kept"]
    )


def test_filling_completes_the_same_employment(account: Account) -> None:
    write(account, OLD)
    write(account, {**OLD, "company_name": "Acme Inc", "job_title": "CTO", "email": "jo@acme.example.com"})
    there = contact(account)
    assert (there["job_title"], there["email"], there["company_name"]) == ("CTO", "jo@acme.example.com", "Acme")


def test_a_dry_run_tells_what_would_be_emptied(account: Account) -> None:
    write(account, {**OLD, "job_title": "CTO"})
    done = write(account, {"linkedin_url": URL, "company_name": "Globex"}, on_conflict="overwrite", dry_run=True)
    assert {"company_domain", "job_title"} <= set(done["fields_written"])
    assert contact(account)["job_title"] == "CTO"


def test_a_company_beside_the_person_is_their_employer(account: Account) -> None:
    before = write(account, {**OLD, "job_title": "CTO"})
    company = {"name": "Globex", "domain": "globex.example.com"}
    kept = write(account, {"linkedin_url": URL, "job_title": "CEO"}, company=company)
    assert {"job_title", "company_name", "company_domain"} <= set(kept["fields_kept"])
    write(account, {"linkedin_url": URL, "department": "Sales"}, company=company, on_conflict="overwrite")
    there = contact(account)
    assert [there[name] for name in ("company_name", "company_domain", "job_title", "department")] == [
        "Globex",
        "globex.example.com",
        None,
        "Sales",
    ]
    assert there["company_id"] not in (None, before["company_id"])


def test_an_address_in_another_case_is_no_other_one(account: Account) -> None:
    write(account, {**OLD, "email": "jo@acme.example.com"})
    again = write(account, {**OLD, "email": "Jo@ACME.example.com"})
    assert (again["action"], again["fields_kept"]) == ("unchanged", [])
