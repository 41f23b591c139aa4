"""`addtocrm verify FILE.csv`: the same rows with the result columns, without a running server."""

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import cli, with_pool
from world import WorldBeside

from addtocrm.tenants.accounts import service as accounts


@pytest.fixture
def mail() -> Iterator[WorldBeside]:
    world = WorldBeside()
    yield world
    world.close()


@pytest.fixture
def environment(mail: WorldBeside, database_url: str, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ADDTOCRM_")}
    return {
        **kept,
        "ADDTOCRM_DATABASE_URL": database_url,
        "ADDTOCRM_DATA_DIR": str(tmp_path),
        **mail.environment,
    }


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def test_a_file_gains_the_result_columns(
    mail: WorldBeside, environment: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    server = mail.server("acme.test", mailboxes={"jane@acme.test"})
    with_pool(database_url, lambda pool: accounts.create(pool, "sales@example.com", "pro", 10))
    file = tmp_path / "leads.csv"
    rows = "Name;E-Mail\nJane;jane@acme.test\nJos\u00e9;nobody@acme.test\nBob;\nAgain; jane@ACME.test\nZed;none\n"
    file.write_bytes(rows.encode() + b"K\xf6ln;x y@acme.test\n")
    said: Any = cli("verify", str(file), environment=environment)
    assert said["rows"] == 6
    assert said["results"] == {"deliverable": 2, "undeliverable": 3}
    assert (said["failed"], said["credits_deducted"]) == (0, 2)
    made = table(tmp_path / "leads.verified.csv")
    assert [row["email_reason"] for row in made] == [
        "accepted", "no_such_user", "", "accepted", "invalid_syntax", "invalid_syntax",
    ]  # fmt: skip
    assert [row["Name"].encode("utf-8", "surrogateescape") for row in made][1::4] == ["Jos\u00e9".encode(), b"K\xf6ln"]
    assert made[0]["email_score"] == "98" and made[0]["email_is_role"] == "false"
    contacts = len(server.sessions)
    again: Any = cli("verify", str(tmp_path / "leads.verified.csv"), environment=environment)
    assert again["credits_deducted"] == 0 and len(server.sessions) == contacts
    assert table(tmp_path / "leads.verified.verified.csv")[:4] == made[:4]


def test_what_could_not_be_paid_is_said(
    mail: WorldBeside, environment: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    mail.server("acme.test", mailboxes={"a@acme.test", "b@acme.test"})
    with_pool(database_url, lambda pool: accounts.create(pool, "sales@example.com", "pro", 0))
    file = tmp_path / "leads.csv"
    file.write_text("email\na@acme.test\n")
    with pytest.raises(AssertionError):
        cli("verify", str(file), "--account", "sales@example.com", environment=environment)
    assert "insufficient_credits" in (tmp_path / "leads.verified.csv").read_text()


def test_an_unclosed_quote_swallows_no_address(
    mail: WorldBeside, environment: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    mail.server("acme.test", mailboxes={"jane@acme.test"})
    with_pool(database_url, lambda pool: accounts.create(pool, "sales@example.com", "pro", 10))
    file = tmp_path / "leads.csv"
    file.write_text('Name;Email\n"Jane;jane@acme.test\n"Jos\u00e9";nobody@acme.test\n"Bob\nB.";none\n')
    said: Any = cli("verify", str(file), environment=environment)
    assert (said["rows"], said["results"]) == (3, {"deliverable": 1, "undeliverable": 2})
    assert [row["Name"] for row in table(tmp_path / "leads.verified.csv")][1:] == ["Jos\u00e9", "Bob\nB."]
