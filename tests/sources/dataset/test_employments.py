"""An employment is one thing, and two people with one address are two, also in imports."""

import csv
from pathlib import Path
from typing import Any

import pytest
from harness import Server, cli


def imported(server: Server, folder: Path, *rows: dict[str, str]) -> Any:
    file = folder / "people.csv"
    with file.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)
    return cli("import", "people", "--restart", str(file), environment=server.environment)


OLD = {"company_name": "Acme", "company_domain": "acme.example.com", "job_title": "CTO", "industry": "Tools"}
NEW = {"company_name": "Globex", "department": "Sales"}


def shown(server: Server, slug: str) -> dict[str, Any]:
    return server.account(credits=10).enrich(slug).json()["data"]


def check_moved(server: Server, slug: str) -> None:
    person = shown(server, slug)
    assert (person["job_title"], person["department"]) == (None, "Sales")
    assert (person["company"]["name"], person["company"]["domain"], person["company"]["industry"]) == (
        "Globex",
        None,
        None,
    )
    assert person["full_name"] == "Jo Import"
    rows = server.query("select company_domain, company_key from people where identity = $1", f"in:{slug}")
    assert [tuple(row) for row in rows] == [(None, "globex")]


def test_a_new_employer_takes_nothing_of_the_old_one(server: Server, tmp_path: Path) -> None:
    who = {"linkedin_url": "linkedin.com/in/jo-import-a"}
    imported(server, tmp_path, {**who, **OLD, "full_name": "Jo Import"})
    assert imported(server, tmp_path, {**who, **NEW})["updated"] == 1
    check_moved(server, "jo-import-a")
    assert imported(server, tmp_path, {**who, **NEW})["updated"] == 0


def test_nor_within_one_file(server: Server, tmp_path: Path) -> None:
    who = {"linkedin_url": "linkedin.com/in/jo-import-b"}
    imported(server, tmp_path, {**who, **OLD, "full_name": "Jo Import"}, {**who, **NEW})
    check_moved(server, "jo-import-b")


def test_an_employer_whose_han_name_sounds_the_same_is_new(server: Server, tmp_path: Path) -> None:
    who = {"linkedin_url": "linkedin.com/in/jo-import-han", "full_name": "Jo Import"}
    imported(server, tmp_path, {**who, "company_name": "中信集团", "job_title": "CTO"})
    assert imported(server, tmp_path, {**who, "company_name": "中新集团"})["updated"] == 1
    person = shown(server, "jo-import-han")
    assert (person["company"]["name"], person["job_title"]) == ("中新集团", None)


def test_the_same_employer_keeps_what_is_known_of_it(server: Server, tmp_path: Path) -> None:
    who = {"linkedin_url": "linkedin.com/in/jo-import-c"}
    imported(server, tmp_path, {**who, **OLD})
    imported(server, tmp_path, {**who, "company_name": "ACME Inc.", "company_size": "11-50"})
    person = shown(server, "jo-import-c")
    company = person["company"]
    assert (company["name"], company["domain"], company["industry"], company["size"], person["job_title"]) == (
        "ACME Inc.", "acme.example.com", "Tools", "11-50", "CTO",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"company_domain": "subco.test"}, {"company_domain": "careers.subco.test"}),
        ({"company_name": "Müller Import GmbH"}, {"company_name": "Mueller Import & Co. KG"}),
        ({"company_name": "Subco", "company_domain": "subco.test"}, {"company_name": "SUBCO Ltd."}),
    ],
)
@pytest.mark.parametrize("files", [1, 2])
def test_another_spelling_of_the_employer_keeps_the_employment(
    server: Server, tmp_path: Path, before: dict[str, str], after: dict[str, str], files: int
) -> None:
    who = {"linkedin_url": f"linkedin.com/in/jo-import-{files}-{before.get('company_name', 'd')[0]}{len(before)}"}
    said = {**who, **before, "job_title": "Boss", "seniority": "cxo", "department": "Board", "company_size": "11-50"}
    now = {**who, **after, "city": "Rome"}
    for rows in [[said, now]] if files == 1 else [[said], [now]]:
        imported(server, tmp_path, *rows)
    person = shown(server, who["linkedin_url"].rpartition("/")[2])
    assert (person["job_title"], person["seniority"], person["department"]) == ("Boss", "cxo", "Board")
    assert (person["company"]["size"], person["location"]["city"]) == ("11-50", "Rome")


def test_two_people_with_one_address_and_no_url_are_two(server: Server, tmp_path: Path) -> None:
    email = "office@two-import.example.com"
    people = [{"email": email, "full_name": name} for name in ("Ann Alpha", "Ben Beta")]
    assert imported(server, tmp_path, *people)["created"] == 2
    assert imported(server, tmp_path, *people)["created"] == 0
    ann = {"email": email.upper(), "full_name": "Ann B. Alpha", "linkedin_url": "linkedin.com/in/ann-two-import"}
    assert imported(server, tmp_path, ann)["created"] == 0
    rows = server.query("select identity from people where email = $1 order by identity", email)
    assert [row["identity"] for row in rows] == [f"em:{email}|ben beta", "in:ann-two-import"]
