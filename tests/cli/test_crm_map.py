"""`addtocrm crm map`: what goes into which field, changed on the command line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import cli
from test_cli import environment as environment
from test_cli import run
from vendors.hubspot_server import HubSpotServer

EMAIL = "map@example.com"


@pytest.fixture
def connected(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    with HubSpotServer() as hubspot:
        more = {"ADDTOCRM_HUBSPOT_URL": hubspot.url, "ADDTOCRM_ALLOW_PRIVATE_NETWORKS": "true"}
        cli("accounts", "create", EMAIL, "--plan", "pro", environment=environment | more)
        cli("crm", "connect", EMAIL, "hubspot", "--token", "private-token-1", environment=environment | more)
        yield environment | more


def rules(mapping: Any) -> dict[str, Any]:
    return {rule["field"]: rule["from"] or rule["constant"] for rule in mapping["rules"]}


def test_rules_are_changed_one_by_one_from_a_file_and_back(connected: dict[str, str], tmp_path: Path) -> None:
    def mapped(*arguments: str) -> Any:
        return cli("crm", "map", EMAIL, *arguments, environment=connected)

    usual = mapped()
    changed = mapped("jobtitle=headline,job_title", 'website="https://acme.example.com"', "city=")
    assert not changed["is_default"]
    expected = {**rules(usual), "jobtitle": ["headline", "job_title"], "website": "https://acme.example.com"}
    del expected["city"]
    assert rules(changed) == expected and mapped() == changed

    file = tmp_path / "rules.json"
    file.write_text(json.dumps([{"field": "email", "from": ["email"]}]))
    assert rules(mapped("--file", str(file))) == {"email": ["email"]}
    file.write_text(json.dumps(changed))
    assert mapped("--file", str(file)) == changed
    assert mapped("--reset") == usual


@pytest.mark.parametrize(("rule", "says"), [("jobtitle", "FIELD=our_name"), ("no_such_field=email", "no_such_field")])
def test_a_rule_that_cannot_be_changes_nothing(connected: dict[str, str], rule: str, says: str) -> None:
    done = run("crm", "map", EMAIL, rule, environment=connected)
    assert (done.returncode, says in done.stderr) == (1, True), done.stderr
    assert cli("crm", "map", EMAIL, environment=connected)["is_default"]
