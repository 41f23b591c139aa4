"""`addtocrm enrich FILE.csv`: the same rows with what is known of each person, without a running server."""

import asyncio
import csv
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import ADDTOCRM, Server, each, until, with_pool

from addtocrm import sample
from addtocrm.sources.dataset import service as dataset
from addtocrm.tenants.accounts import service as accounts

SALES = "sales@example.com"


@pytest.fixture
def server(new_server: Callable[..., Server]) -> Server:
    return new_server(start=False)


def prepare(server: Server, **credits: int) -> None:
    """The people of the sample, and accounts with so many credits."""

    async def work(pool: Any) -> None:
        await dataset.import_people(pool, sample.people_file(), lambda _: None)
        for name, count in credits.items():
            await accounts.create(pool, f"{name}@example.com", "pro", count)

    with_pool(server.database_url, work)


def charges(server: Server) -> int:
    return server.query("select count(*)::int as n from ledger where kind = 'charge'")[0]["n"]


def rows_of(path: Path, delimiter: str = ";") -> list[dict[str, str]]:
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


LEADS = """\
Lead;LinkedIn URL;E-Mail;Name;Company;Website;enriched_city
URL;linkedin.com/in/jane-doe-example;;;;;stale
address;;Clara Pemberton <Clara.Pemberton@acme.example.com>;;;;
name;;;"Hollis, Nora";Acme Example;;
titles;;;Dr. Jack Ashworth, MBA;;https://www.acme.example.com/about;
stranger;;;Nobody Known;Acme Example;;
no company;;;Only Name;;;
bad URL;https://example.com/me;jane.doe@acme.example.com;;;;
bad address;;none;;;;
again;http://de.linkedin.com/in/Jane-Doe-Example/?trk=x;;;;;
"Open;;jane.doe@acme.example.com;;;;
short
"""


def test_a_file_gains_what_is_known_of_its_people(server: Server, tmp_path: Path) -> None:
    prepare(server, sales=10)
    (tmp_path / "leads.csv").write_bytes(LEADS.encode() + b"K\xf6ln;;K\xf6ln@x;;;;\n")
    commands = [["enrich", "leads.csv", "--json"], ["enrich", "leads.enriched.csv"]]
    (code, out, err), (again_code, again_out, again_err) = each(commands, server.environment)
    said = json.loads(out)
    assert (code, said["rows"], said["failed"], said["credits_deducted"]) == (1, 12, 3, 5), err
    assert said["results"] == {"found": 6, "not_found": 1}
    made = rows_of(tmp_path / "leads.enriched.csv")
    assert list(made[0])[:8] == [*LEADS.split("\n")[0].split(";")[:6], "enriched_result", "enriched_reason"]
    assert [row["enriched_result"] for row in made] == [
        "found", "found", "found", "found", "not_found", "", "validation_error", "validation_error",
        "found", "found", "", "validation_error",
    ]  # fmt: skip
    jane = {name: value for name, value in made[0].items() if name.startswith("enriched_")}
    assert jane == {
        "enriched_result": "found",
        "enriched_reason": "",
        "enriched_full_name": "Jane Doe",
        "enriched_first_name": "Jane",
        "enriched_last_name": "Doe",
        "enriched_headline": "VP of Sales at Acme Example",
        "enriched_job_title": "VP of Sales",
        "enriched_seniority": "vp",
        "enriched_department": "Sales",
        "enriched_company_name": "Acme Example",
        "enriched_company_domain": "acme.example.com",
        "enriched_company_industry": "Software",
        "enriched_company_size": "11-50",
        "enriched_email": "jane.doe@acme.example.com",
        "enriched_email_status": "",
        "enriched_phone": "'+1 202-555-0142",
        "enriched_linkedin_url": "https://www.linkedin.com/in/jane-doe-example",
        "enriched_city": "Washington",
        "enriched_region": "District of Columbia",
        "enriched_country": "United States",
        "enriched_confidence": "1.0",
    }
    assert [row["enriched_full_name"] for row in made[1:4]] == ["Clara Pemberton", "Nora Hollis", "Jack Ashworth"]
    assert "Nobody" in made[4]["enriched_reason"]
    assert "linkedin.com" in made[6]["enriched_reason"] and "address" in made[7]["enriched_reason"]
    assert set(list(made[5].values())[6:]) == {""}
    assert made[0]["LinkedIn URL"] == "linkedin.com/in/jane-doe-example"
    assert made[-1]["Lead"].encode("utf-8", "surrogateescape") == b"K\xf6ln"
    assert again_code == 1
    assert again_out.startswith("12 rows (6 found, 1 not found), 0 credits: leads.enriched.enriched.csv"), again_err
    assert rows_of(tmp_path / "leads.enriched.enriched.csv") == made
    assert charges(server) == 5


def test_columns_of_any_name_and_what_a_match_must_have(server: Server, tmp_path: Path) -> None:
    prepare(server, sales=10, poor=0)
    rows = "Vorname,Nachname,Firma\nJane,Doe,Acme Example\nClara,Pemberton,acme.example.com\n"
    (tmp_path / "export.csv").write_text(rows, encoding="utf-16")
    columns = ["--first-name-column", "vorname", "--last-name-column", "Nachname"]
    common = ["enrich", "export.csv", *columns, "--json"]
    by_name = [*common, "--company-column", "Firma"]
    results = each(
        [
            by_name,
            [*by_name, "--account", "poor@example.com", "--output", "poor.csv"],
            [*by_name, "--account", SALES, "--min-confidence", "0.85"],
            [*by_name, "--account", SALES, "--required", "email, education", "--output", "none.csv"],
            [*by_name, "--account", SALES],
            [*common, "--domain-column", "Firma", "--account", SALES, "--output", "by-domain.csv"],
        ],
        server.environment,
    )
    several, poor, surer, schooled, found, by_domain = results
    assert several[0] == 1 and "--account EMAIL" in several[2]
    assert poor[0] == 1 and json.loads(poor[1])["failed"] == 2
    assert {row["enriched_result"] for row in rows_of(tmp_path / "poor.csv", ",")} == {"insufficient_credits"}
    assert [json.loads(one[1])["results"] for one in (surer, schooled)] == [{"not_found": 2}, {"not_found": 2}]
    assert json.loads(found[1]) == {
        "file": "export.enriched.csv",
        "rows": 2,
        "results": {"found": 1, "not_found": 1},
        "failed": 0,
        "credits_deducted": 1,
    }
    assert found[0] == 0
    assert [row["enriched_job_title"] for row in rows_of(tmp_path / "export.enriched.csv", ",")] == ["VP of Sales", ""]
    assert json.loads(by_domain[1])["failed"] == 1
    assert rows_of(tmp_path / "by-domain.csv", ",")[1]["enriched_confidence"] == "0.9"
    assert charges(server) == 2


HOLD_UP = """
create sequence charged;
create function wait_after_some() returns trigger language plpgsql as $$
begin
    if nextval('charged') > 300 then
        perform pg_advisory_xact_lock_shared(1);
    end if;
    return new;
end $$;
create trigger wait_after_some before insert on ledger for each row execute function wait_after_some()
"""


def interrupted(server: Server, begin: Callable[[], "subprocess.Popen[bytes]"]) -> "subprocess.Popen[bytes]":
    """Begins the command, and interrupts it when some are paid, before all can be."""

    async def run(pool: Any) -> "subprocess.Popen[bytes]":
        async with pool.acquire() as holder:
            await holder.execute("select pg_advisory_lock(1)")
            await holder.execute(HOLD_UP)
            process = begin()
            await asyncio.to_thread(until, lambda: charges(server))
            process.send_signal(signal.SIGINT)
            await asyncio.to_thread(until, lambda: server.query("select from jobs where cancelled_by is not null"))
        return process

    return with_pool(server.database_url, run)


def test_an_interrupted_run_pays_for_nobody_twice(server: Server, tmp_path: Path) -> None:
    people = [f"person-{number}" for number in range(1000)]
    server.add_people(*people)
    with_pool(server.database_url, lambda pool: accounts.create(pool, SALES, "pro", 10_000))
    file = tmp_path / "leads.csv"
    file.write_text("linkedin\n" + "".join(f"linkedin.com/in/{one}\n" for one in people))

    def begin() -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [ADDTOCRM, "enrich", str(file)],
            env=server.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    process = interrupted(server, begin)
    _, said = process.communicate(timeout=400)
    assert process.returncode == 128 + signal.SIGINT and b"Traceback" not in said
    paid = charges(server)
    assert 0 < paid < len(people)
    assert not list(tmp_path.glob("leads.enriched*"))
    assert server.query("select status from jobs")[0]["status"] == "cancelled"
    results = each([["enrich", "leads.csv", "--json"]] * 2, server.environment)
    done, again = (json.loads(out) for _, out, _ in results)
    assert (done["results"], done["credits_deducted"]) == ({"found": len(people)}, len(people) - paid)
    assert (again["results"], again["credits_deducted"]) == ({"found": len(people)}, 0)
    assert charges(server) == len(people)
    assert [row["enriched_last_name"] for row in rows_of(tmp_path / "leads.enriched.csv", ",")] == people


@pytest.mark.parametrize("command", ["enrich", "verify"])
def test_cells_beyond_the_header_stay(server: Server, tmp_path: Path, command: str) -> None:
    prepare(server, sales=10)
    rows = ["email,note", "none,a,EXTRA,", "none,b", "none,c,,MORE,,"]
    (tmp_path / "leads.csv").write_text("\n".join(rows))
    each([[command, "leads.csv"]], server.environment)
    [made] = tmp_path.glob("leads.*ed.csv")
    with made.open(newline="") as file:
        first, *rest = ([*row[:4], len(row)] for row in csv.reader(file))
    assert first[:4] == ["email", "note", "", ""]
    assert [row[:4] for row in rest] == [
        ["none", "a", "EXTRA", ""],
        ["none", "b", "", ""],
        ["none", "c", "", "MORE"],
    ]
    assert {row[4] for row in rest} == {first[4]}


def test_what_cannot_be_done_is_said_at_once(server: Server, tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text("Name;Mail\nJane Doe;jane.doe@acme.example.com\n")
    wrong = {
        "the file has Name, Mail": [],
        "there is no column Address; the file has Name, Mail": ["--email-column", "Address"],
        "name another file": ["--email-column", "Mail", "--output", "./leads.csv"],
        "shoe_size is not a field of a person": ["--email-column", "Mail", "--required", "shoe_size"],
        "addtocrm accounts create": ["--email-column", "Mail"],
    }
    results = each([["enrich", "leads.csv", *more] for more in wrong.values()], server.environment)
    for message, (code, out, err) in zip(wrong, results, strict=True):
        assert (code, out) == (1, "") and message in err and "Traceback" not in err, err
    assert [file.name for file in tmp_path.glob("leads*")] == ["leads.csv"]
