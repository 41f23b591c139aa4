"""Which rows are one person's, in one file and in several."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from harness import Server, cli, with_pool
from importing import environment_of, imported, people

Row = dict[str, Any]
FILES = pytest.mark.parametrize("at_once", [True, False], ids=["one file", "two files"])


def taken(folder: Path, url: str, rows: Iterable[Row], at_once: bool = True) -> Any:
    """Imports the rows, in one file or each in a file of its own; gives who there is then, and the figures."""
    files = [list(rows)] if at_once else [[row] for row in rows]
    figures: list[Any] = []
    for number, some in enumerate(files):
        file = folder / f"{number}.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in some))
        figures.append(imported(file, environment_of(url, folder)))
    return people(url), figures


def test_a_name_alone_is_refused(database_url: str, tmp_path: Path) -> None:
    berlin, london = ({"full_name": "Jo One", "phone": city, "city": city} for city in ("Berlin", "London"))
    there, [(figures, reasons)] = taken(tmp_path, database_url, [berlin, london, {**london, "company_name": "Acme"}])
    assert [*there] == ["nc:jo one|acme"]
    assert (figures["created"], figures["refused"]) == (1, 2)
    assert set(reasons.values()) == {"a name alone does not say who it is; add a company, an email or a LinkedIn URL"}


OLD, OLDER, NEW = (f"https://www.linkedin.com/in/{slug}" for slug in ("kim-old", "kim-older", "kim-new"))
KIM = {"linkedin_url": NEW, "full_name": "Kim Newname", "company_name": "Acme", "job_title": "VP"}


@FILES
@pytest.mark.parametrize("known_first", [True, False], ids=["known first", "known later"])
def test_a_former_url_is_the_same_person(database_url: str, tmp_path: Path, at_once: bool, known_first: bool) -> None:
    rows = [{**KIM, "former_linkedin_urls": OLD}, {"linkedin_url": OLD, "phone": "+15550123"}]
    there, _ = taken(tmp_path, database_url, rows if known_first else rows[::-1], at_once)
    assert [*there] == ["in:kim-new"]
    kim = there["in:kim-new"]
    assert (kim["linkedin_url"], kim["job_title"], kim["phones"]) == (NEW, "VP", [{"number": "+15550123"}])
    assert kim["former_linkedin_urls"] == [OLD]


@FILES
def test_former_urls_are_added(database_url: str, tmp_path: Path, at_once: bool) -> None:
    rows = [{**KIM, "former_linkedin_urls": one} for one in (OLDER, OLD)]
    there, _ = taken(tmp_path, database_url, rows, at_once)
    assert there["in:kim-new"]["former_linkedin_urls"] == [OLDER, OLD]
    _, [(figures, _)] = taken(tmp_path, database_url, [{**rows[0], "skills": ""}])
    assert figures["unchanged"] == 1


def test_a_former_url_that_is_anothers_now_or_two_had(database_url: str, tmp_path: Path) -> None:
    former = [{**KIM, "linkedin_url": url, "former_linkedin_urls": OLD} for url in (NEW, OLDER)]
    there, _ = taken(tmp_path, database_url, [*former, {"linkedin_url": OLD, "full_name": "Zoe Other"}], at_once=False)
    assert {*there} == {"in:kim-new", "in:kim-older", "in:kim-old"}


@FILES
@pytest.mark.parametrize(
    ("one", "other", "known"),
    [
        ("Mr Doe", "Mrs Doe", 2),
        ("Herr Müller", "Frau Müller", 2),
        ("王伟", "汪伟", 2),
        ("張偉", "张伟", 1),
        ("Bob Doe", "Robert Doe", 1),
        ("Mr Doe", "Doe", 1),
    ],
)
def test_one_address(database_url: str, tmp_path: Path, at_once: bool, one: str, other: str, known: int) -> None:
    rows = [{"email": "all@one.test", "full_name": name, "job_title": name} for name in (one, other)]
    there, figures = taken(tmp_path, database_url, rows, at_once)
    assert len(there) == sum(one["created"] for one, _ in figures) == known


def test_a_page_at_a_shared_host_is_no_domain(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    tom = {"first_name": "Tom", "last_name": "Sharer", "company_domain": "https://www.facebook.com/joespizza"}
    ann = {"first_name": "Ann", "last_name": "Sharer", "company_domain": "timsblog.wordpress.com"}
    rows = [{**tom, "company_name": "Joe's Pizza"}, {**ann, "company_name": "Tim"}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    cli("import", "people", str(file), environment=server.environment)
    client = server.account(credits=10).client

    def asked(row: Row, **employer: str) -> Any:
        answer = client.post("/v1/people/enrich", json={**row, "company_domain": None, **employer}).json()
        return answer.get("error", {}).get("type") or answer["data"]["company"]["domain"]

    assert asked(tom, company_domain="facebook.com") == "not_found"
    assert asked(tom, company_domain=tom["company_domain"]) == "validation_error"
    assert asked(tom, company_name="Joe's Pizza") is None
    assert asked(ann, company_domain="other.wordpress.com") == "not_found"
    assert asked(ann, company_domain="timsblog.wordpress.com") == "timsblog.wordpress.com"
    page = client.post("/v1/companies/lookup", json={"domain": tom["company_domain"]})
    assert page.json()["error"]["type"] == "validation_error"


def test_companies_whose_han_names_sound_the_same_are_two(database_url: str, tmp_path: Path) -> None:
    names = ["中信集团", "中新集团", "中信集團"]
    file = tmp_path / "companies.csv"
    file.write_text("name\n" + "\n".join(names))
    figures, _ = imported(file, environment_of(database_url, tmp_path), "companies")
    assert figures["created"] == 2
    rows = [{"full_name": "Wei Li", "company_name": name, "job_title": name} for name in names]
    there, _ = taken(tmp_path, database_url, rows)
    assert [one["job_title"] for one in there.values()] == ["中信集團", "中新集团"]


def test_who_was_stored_by_the_sound_of_a_company_stays(database_url: str, tmp_path: Path) -> None:
    """As an earlier version stored them: a name in Han characters, and an identity that has only its sound."""
    environment = environment_of(database_url, tmp_path)
    companies, wei = tmp_path / "companies.csv", {"full_name": "Wei Li", "company_name": "中信集团"}
    companies.write_text("name,industry\n中信集团,\n")
    imported(companies, environment, "companies")
    taken(tmp_path, database_url, [wei])
    before = {"companies": "na:zhongxinjituan", "people": "nc:wei li|zhongxinjituan"}
    for table, identity in before.items():
        with_pool(
            database_url,
            lambda pool, table=table, known=identity: pool.execute(f"update {table} set identity = '{known}'"),
        )
    companies.write_text("name,industry\n中新集团,Property\n中信集團,Banking\n")
    figures, _ = imported(companies, environment, "companies")
    assert (figures["created"], figures["updated"]) == (1, 1)
    people, [(figures, _)] = taken(
        tmp_path, database_url, [{**wei, "job_title": "CTO"}, {**wei, "company_name": "中新集团"}]
    )
    assert (figures["created"], figures["updated"]) == (1, 1)
    assert people[before["people"]]["job_title"] == "CTO"
