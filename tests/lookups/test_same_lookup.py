"""Two questions are one look-up where nobody would be meant by one and not by the other."""

import json
from pathlib import Path
from typing import Any

from harness import Account, Server, cli, until


def asked(account: Account, **body: Any) -> tuple[str, bool] | None:
    """Who answers, and whether the answer was cached."""
    answer = account.client.post("/v1/people/enrich", json=body).json()
    return (answer["data"]["full_name"], answer["cached"]) if "data" in answer else None


def test_domain_company_name_and_spelling_belong_to_the_question(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    people = [
        {"full_name": "Eva Stonelook", "company_name": "Foo Lookworks"},
        {"first_name": "Jan", "last_name": "Muellerlook", "company_domain": "same-lookup.test"},
    ]
    file.write_text("".join(json.dumps(one) + "\n" for one in people))
    cli("import", "people", str(file), environment=server.environment)
    account = server.account(credits=1000)
    eva = {"first_name": "Eva", "last_name": "Stonelook", "company_domain": "bar-lookup.test"}
    until(lambda: asked(account, **eva, company_name="Foo Lookworks", refresh=True))
    assert asked(account, **eva, company_name="FOO Lookworks, Inc.") == ("Eva Stonelook", True)
    assert asked(account, **eva) is None
    assert asked(account, **eva, company_name="Bar Lookworks") is None
    jan = {"first_name": "Jan", "company_domain": "same-lookup.test"}
    assert asked(account, **jan, last_name="Müllerlook") == ("Jan Muellerlook", False)
    assert asked(account, **jan, last_name="MÜLLERLOOK") == ("Jan Muellerlook", True)
    assert asked(account, **jan, last_name="Mullerlook") is None


def test_companies_that_sound_the_same_in_han_characters_are_two(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "companies.csv"
    file.write_text("name,industry\n中信集团,Banking\n")
    cli("import", "companies", str(file), environment=server.environment)
    people = tmp_path / "people.csv"
    people.write_text("linkedin_url,full_name,company_name\nhttps://www.linkedin.com/in/wei-look,Wei Lilook,中信集团\n")
    cli("import", "people", str(people), environment=server.environment)
    account = server.account(credits=1000)

    def looked_up(name: str) -> tuple[str | None, int]:
        answer = account.client.post("/v1/companies/lookup", json={"name": name}).json()
        return answer.get("data", {}).get("name"), answer.get("credits_deducted", 0)

    wei = {"first_name": "Wei", "last_name": "Lilook"}
    until(lambda: asked(account, **wei, company_name="中信集团", refresh=True))
    assert looked_up("中信集團") == ("中信集团", 1)
    assert looked_up("中信集团") == ("中信集团", 0), "the same company in simplified characters"
    assert looked_up("中新集团") == (None, 0)
    assert asked(account, **wei, company_name="中新集团") is None
    with file.open("a") as opened:
        opened.write("中新集团,Property\n")
    cli("import", "companies", str(file), environment=server.environment)
    assert looked_up("中新集团") == ("中新集团", 1)
    assert looked_up("中信集团") == ("中信集团", 0)
