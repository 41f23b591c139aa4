"""Batches that are paid with the last credits."""

import csv
from pathlib import Path
from typing import Any

from harness import Server, cli
from jobbing import ended, enrich, results, submit


def test_the_last_credit_is_for_whom_it_finds(new_server: Any) -> None:
    """Look-ups that find nothing hold it for a moment each."""
    server: Server = new_server()
    server.add_people("known")
    file = Path(server.environment["ADDTOCRM_DATA_DIR"]) / "companies.csv"
    with file.open("w") as text:
        csv.writer(text).writerows([("name", "domain"), ("Known", "known.example.com")])
    cli("import", "companies", str(file), environment=server.environment)
    for path, form in (
        ("people-enrich", "https://www.linkedin.com/in/{}"),
        ("companies-lookup", "{}.example.com"),
    ):
        account = server.account(credits=1)
        items = [form.format(name) for name in (*(f"nobody-{number}" for number in range(39)), "known")]
        id = submit(account, f"/v1/batch/{path}", {"items": items})
        job = ended(account, id)
        assert (job["succeeded"], job["failed"], job["credits_deducted"]) == (1, 39, 1)


def test_whoever_waits_for_the_last_credit_has_as_many_tries_as_others(new_server: Any) -> None:
    server: Server = new_server()
    account = server.account(credits=1)
    id = enrich(account, [f"https://www.linkedin.com/in/nobody-{number}" for number in range(100)])
    assert ended(account, id)["failed"] == 100
    assert {row["error"]["type"] for row in results(account, id)} == {"not_found"}
    assert server.query("select max(attempts) from job_items where job_id = $1", id)[0][0] == 0
