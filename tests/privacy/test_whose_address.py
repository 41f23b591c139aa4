"""Whose an address is: no account's spelling of a name keeps somebody else from being forgotten."""

import subprocess
from typing import Any

import pytest
from forgetting import World
from harness import ADDTOCRM, Account, Server, cli


@pytest.fixture
def other(world: World) -> Account:
    """Another account with the built-in CRM."""
    account = world.server.account(credits=1000)
    account.connect_builtin()
    return account


def refusal(server: Server, *arguments: str) -> str:
    done = subprocess.run([ADDTOCRM, *arguments], env=server.environment, capture_output=True, text=True)
    assert done.returncode == 1, done.stdout
    return " ".join(done.stderr.split())


def contact(account: Account, **person: Any) -> int:
    return account.client.post("/v1/crm/contacts", json={"person": person}).status_code


@pytest.mark.parametrize("name", ["Dr. Erik Holm", "Erik J. Holm, PhD", "ERIK HOLM", "Erik Ek"])
def test_one_person_in_two_accounts_is_forgotten_by_the_address(world: World, other: Account, name: str) -> None:
    email = f"erik-{len(name)}@holm.test"
    world.new_list({"email": email, "full_name": "Erik Holm"})
    assert contact(other, email=email, full_name=name) == 201

    done = world.forget(email)

    assert (done["removed"]["list_members"], done["removed"]["crm_contacts"], done["shared"]) == (1, 1, [])
    assert not world.mentions(email)
    assert contact(other, email=email, full_name=name) == 400


def test_a_name_in_another_account_keeps_no_address(world: World, other: Account) -> None:
    url, email = "https://www.linkedin.com/in/robert-stone-own", "bob@stone.test"
    world.imported({"linkedin_url": url, "email": email, "full_name": "Robert Stone"})
    assert contact(other, email=email, full_name="Bob Stone") == 201

    done = world.forget(url)

    assert (done["identifiers"], done["shared"], done["removed"]["crm_contacts"]) == (2, [], 1)
    assert world.post("/v1/emails/verify", {"email": email}).status_code == 404
    assert contact(world.account, email=email, full_name="Robert Stone") == 400
    assert other.client.get("/v1/crm/contacts").json()["data"] == []


def test_what_only_one_account_says_of_an_address_forgets_nobody_else(world: World, other: Account) -> None:
    """Without a LinkedIn URL beside it, an address of another name is not followed into other accounts."""
    assert (
        contact(world.account, email="mal@own.test", emails=[{"email": "carl@victim.test"}], full_name="Mal Own") == 201
    )
    assert contact(other, email="carl@victim.test", full_name="Carl Victim") == 201

    done = world.forget("mal@own.test")

    assert done["shared"] == ["carl@victim.test"]
    assert [one["full_name"] for one in other.client.get("/v1/crm/contacts").json()["data"]] == ["Carl Victim"]


def test_the_refusal_names_the_way_and_the_way_leads_there(world: World, other: Account) -> None:
    email = "home@no-urls.test"
    list_id = world.new_list(
        {"email": email, "full_name": "Ann Alpha"},
        {"email": email, "emails": [{"email": "ben@no-urls.test"}], "full_name": "Ben Beta"},
    )
    assert contact(other, email="BEN@no-urls.test") == 201

    assert "--shared-too" in refusal(world.server, "people", "forget", email)
    done = cli("people", "forget", email, "--shared-too", environment=world.server.environment)

    assert (done["identifiers"], done["shared"]) == (2, [])
    assert world.members(list_id) == []
    assert not world.mentions("no-urls.test")
    assert contact(other, email="ben@no-urls.test") == 400
    assert world.post("/v1/emails/verify", {"email": email}).status_code == 404


def test_who_shares_an_address_cannot_come_back_with_it(world: World) -> None:
    email, url = "fam@berg.test", "https://www.linkedin.com/in/anna-berg-fam"
    anna = {"linkedin_url": url, "email": email, "full_name": "Anna Berg"}
    ben = {"linkedin_url": "https://www.linkedin.com/in/ben-berg-fam", "email": email, "full_name": "Ben Berg"}
    where = {"company_name": "Bergwerk"}
    world.imported({**anna, **where}, {**ben, **where})
    list_id = world.new_list(ben)

    assert world.forget(url)["shared"] == [email]

    for name in ("Anna Berg", "Dr. Anna M. Berg", "Berg, Anna"):
        back = {"email": email.upper(), "full_name": name}
        again = world.imported({**back, **where})
        assert (again["created"], again["updated"], again["suppressed"]) == (0, 0, 1), name
        assert contact(world.account, **back) == 400
        assert contact(world.account, emails=[{"email": "x@berg.test"}, {"email": email}], full_name=name) == 400
        assert world.post(f"/v1/lists/{list_id}/members", {"people": [back]}).status_code == 400
    for first, full in (("A.", "Anna Berg"), ("Anna", "Bergs Anna M.")):
        names = {"first_name": first, "last_name": "Berg", "full_name": full}
        assert world.imported({"email": email, **names, **where})["suppressed"] == 1, names
    asked = {"first_name": "Anna", "last_name": "Berg", **where}
    assert world.post("/v1/people/enrich", asked).status_code == 404
    assert world.post("/v1/people/enrich", {**asked, "first_name": "Ben"}).status_code == 200
    assert contact(world.account, email=email, full_name="Ben Berg") == 201
    assert world.imported({"email": email, "full_name": "Cia Berg"})["created"] == 1
