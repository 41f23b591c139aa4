"""People search through a server."""

import csv
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from harness import Account, Server, child_process, cli, until

from addtocrm.core.ids import new_id

PEOPLE = [
    ("ada-search", "Ada Example", "VP of Sales", "Acme Example", "DE", "ada@acme.example.com", "Negotiation"),
    ("bo-search", "Bo Example", "Sales VP", "Acme Example", "FR", "", "Negotiation;CRM"),
    ("cy-search", "Cy Example", "Vice President, Sales Operations", "Globex", "DE", "cy@globex.test", "CRM"),
    ("di-search", "Di Example", "Accountant", "Globex", "U.S.A.", "di@globex.test", ""),
]


def write(folder: Path, people: list[tuple[str, ...]]) -> Path:
    file = folder / "people.csv"
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(("linkedin_url", "full_name", "job_title", "company_name", "country", "email", "skills"))
        writer.writerows((f"https://www.linkedin.com/in/{slug}", *rest) for slug, *rest in people)
    return file


@pytest.fixture(scope="module")
def searched(new_database: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("searched")
    server = Server(new_database(), folder).start()
    cli("import", "people", str(write(folder, PEOPLE)), environment=server.environment)
    yield server
    server.kill()


def search(account: Account, **body: Any) -> Any:
    return account.client.post("/v1/people/search", json={"filters": {}, **body})


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["full_name"].split()[0] for one in answer.json()["data"]]


def found(account: Account, expected: list[str], **filters: Any) -> Any:
    """Waits for an answer with just these people; asked afresh, as pages are kept."""
    until(lambda: names(search(account, filters=filters, refresh=True)) == expected, 60)


def test_titles_in_other_words_are_found_the_same_first(searched: Server) -> None:
    account = searched.account(credits=200)
    found(account, ["Ada", "Bo", "Cy"], job_title="VP Sales")
    page = search(account, filters={"job_title": "Vice President of Sales"}).json()
    assert (page["total"], page["total_is_exact"], page["next_cursor"]) == (3, True, None)
    assert (page["cached"], page["credits_deducted"]) == (True, 0), "the same search in other words"
    ada = page["data"][0]
    assert (ada["seniority"], ada["department"]) == ("vp", "Sales"), "as the title says"
    assert ada["sources"]["job_title"]["provider"] == "dataset"


def test_a_page_costs_one_credit_and_none_again_and_an_empty_one_none(searched: Server) -> None:
    account = searched.account(credits=200)
    found(account, ["Ada", "Cy"], job_title="VP Sales", country={"exclude": ["France"]})
    account.set_credits(3)
    first = search(account, filters={"country": "Germany"}, limit=1, facets=["country", "company_name"]).json()
    assert (first["credits_deducted"], first["credits_remaining"]) == (1, 2)
    assert first["facets"] == {"country": {"DE": 2}, "company_name": {"Acme Example": 1, "Globex": 1}}
    rest = search(account, filters={"country": "Germany"}, limit=1, cursor=first["next_cursor"]).json()
    assert [rest["data"][0]["full_name"], first["data"][0]["full_name"]] == ["Cy Example", "Ada Example"]
    assert rest["next_cursor"] is None
    again = search(account, filters={"country": "DE"}, limit=1).json()
    assert (again["cached"], again["credits_deducted"], again["credits_remaining"]) == (True, 0, 1)
    empty = search(account, filters={"country": "Germany", "city": "Berlin"}).json()
    assert (empty["data"], empty["total"], empty["credits_deducted"], empty["credits_remaining"]) == ([], 0, 0, 1)
    assert search(account, filters={"has_email": False}).json()["credits_remaining"] == 0
    refused = search(account, filters={"country": "US"})
    assert refused.json()["error"]["type"] == "insufficient_credits"
    told = [one for one in account.events() if one["type"] == "people.searched"]
    assert told[-2]["data"] == {"people": 1, "total": 2, "total_is_exact": True}


@pytest.mark.parametrize(
    ("body", "path", "says"),
    [
        ({"filters": {"seniority": "boss"}}, "filters.seniority.include[0]", "owner, partner, cxo"),
        ({"filters": {"company_size": {"exclude": ["1-10", "12"]}}}, "filters.company_size.exclude[1]", "11-50"),
        ({"filters": {"country": ["Atlantis"]}}, "filters.country.include[0]", "no country"),
        ({"filters": {"job_title": "of the"}}, "filters.job_title.include[0]", "no word"),
        ({"filters": {"company_domain": "no domain"}}, "filters.company_domain.include[0]", "domain"),
        ({"filters": {"shoe_size": "44"}}, "filters.shoe_size", "not a field"),
        ({"filters": {}, "limit": 101}, "limit", "100"),
        ({"filters": {}, "cursor": "bm9uZQ"}, "cursor", "not a cursor"),
        ({"filters": {}, "facets": ["email"]}, "facets[0]", "email"),
        ({}, "filters", "required"),
    ],
)
def test_what_is_wrong_is_named(searched: Server, body: Any, path: str, says: str) -> None:
    account = searched.account()
    error = account.client.post("/v1/people/search", json=body)
    assert error.status_code == 400
    [detail] = error.json()["error"]["details"]
    assert detail["path"] == path and says in detail["message"]


def test_a_country_is_asked_for_by_its_usual_name(searched: Server) -> None:
    account = searched.account()
    page = search(account, filters={"country": {"exclude": ["UK", "Russia", "USA"]}}, facets=["country"]).json()
    assert (page["total"], page["facets"]) == (3, {"country": {"DE": 2, "FR": 1}})


def test_a_cursor_is_of_its_search(searched: Server) -> None:
    account = searched.account()
    found(account, ["Ada", "Bo"], company_name="ACME example")
    cursor = search(account, filters={"company_name": "acme example"}, limit=1).json()["next_cursor"]
    other = search(account, filters={"company_name": "globex"}, limit=1, cursor=cursor)
    assert other.json()["error"]["details"][0]["path"] == "cursor"


def test_who_asked_to_be_forgotten_is_on_no_page_any_more(new_server: Any, tmp_path: Path) -> None:
    server: Server = new_server()
    cli("import", "people", str(write(tmp_path, PEOPLE)), environment=server.environment)
    account = server.account()
    found(account, ["Ada", "Bo", "Cy"], job_title="VP Sales")
    cli("people", "forget", "https://www.linkedin.com/in/bo-search", environment=server.environment)
    page = search(account, filters={"job_title": "VP Sales"}).json()
    assert "Bo Example" not in str(page)
    found(account, ["Ada", "Cy"], job_title="VP Sales")


def test_who_is_back_in_the_table_though_forgotten_spoils_no_page(new_server: Any, tmp_path: Path) -> None:
    server: Server = new_server()
    shared = [(*one[:5], "all@shared-search.example.com", "") for one in PEOPLE]
    cli("import", "people", str(write(tmp_path, shared)), environment=server.environment)
    account = server.account()
    found(account, ["Ada", "Bo", "Cy"], job_title="VP Sales")
    cli("people", "forget", "https://www.linkedin.com/in/bo-search", environment=server.environment)
    back = {
        "full_name": "Bo Example",
        "email": "all@shared-search.example.com",
        "job_title": "VP Sales",
        "headline": "x",
    }
    server.query("insert into people (id, identity, data) values ($1, 'nc:bo', $2)", new_id("per"), json.dumps(back))
    until(lambda: search(account, filters={"keywords": "x"}, refresh=True).json()["total"] == 1)
    alone = search(account, filters={"keywords": "x"})
    assert (names(alone), alone.json()["credits_deducted"]) == ([], 0)
    found(account, ["Ada", "Cy"], job_title="VP Sales")


def test_more_than_ten_thousand_are_not_counted(new_server: Any) -> None:
    server: Server = new_server()
    account = server.account(credits=200)

    def counted() -> tuple[int, bool]:
        page = search(account, filters={"job_title": "Clerk"}, limit=1, refresh=True).json()
        return page.get("total"), page.get("total_is_exact")

    add = """insert into people (id, identity, data) select 'per_' || n, 'in:clerk-' || n, '{"job_title": "Clerk"}'
             from generate_series($1::int, $2::int) n"""
    server.query(add, 1, 10_000)
    until(lambda: counted() == (10_000, True), 60)
    server.query(add, 10_001, 10_001)
    until(lambda: counted() == (10_000, False), 60)


def test_pages_of_another_database_are_not_sold(new_server: Any, tmp_path: Path) -> None:
    server: Server = new_server()
    cli("import", "people", str(write(tmp_path, PEOPLE)), environment=server.environment)
    account = server.account(credits=200)
    found(account, ["Ada", "Bo", "Cy"], job_title="VP Sales")
    index = until(lambda: child_process(server, "index"))
    os.kill(index, signal.SIGSTOP)
    server.query("delete from people where identity = 'in:bo-search'")
    server.query("update people_feed set generation = gen_random_uuid()")
    account.set_credits(5)
    refused = search(account, filters={"job_title": "VP Sales"}, refresh=True)
    assert (refused.status_code, refused.json()["error"]["retry_after_seconds"]) == (500, 5)
    assert account.usage()["credits"]["remaining"] == 5
    os.kill(index, signal.SIGCONT)
    until(lambda: search(account, filters={"job_title": "VP Sales"}, refresh=True).json().get("total") == 2)


def test_a_name_is_nobody_yet_while_there_is_no_index(new_server: Any, tmp_path: Path) -> None:
    server: Server = new_server()
    people = [("ana-1", "Ana Garcia", "CTO", "Anaco"), ("ana-2", "Ana Garcia Lopez", "CFO", "Anaco")]
    cli(
        "import", "people", str(write(tmp_path, [(*one, "", "", "") for one in people])), environment=server.environment
    )
    account = server.account(credits=200)
    found(account, ["Ana", "Ana"], company_name="Anaco")
    index = until(lambda: child_process(server, "index"))
    os.kill(index, signal.SIGSTOP)
    (tmp_path / "search" / "current").unlink()
    account.set_credits(5)
    asked = {"first_name": "Ana", "last_name": "Garcia", "company_name": "Anaco"}
    failed = account.client.post("/v1/people/enrich", json=asked)
    assert failed.status_code == 500 and "nothing was charged" in failed.json()["error"]["message"]
    assert account.usage()["credits"]["remaining"] == 5
    assert account.enrich("ana-1").status_code == 200
    os.kill(index, signal.SIGCONT)
    until(lambda: account.client.post("/v1/people/enrich", json=asked).status_code == 404)


def test_all_workers_follow_what_is_imported_also_after_a_kill_and_a_rebuild(new_server: Any, tmp_path: Path) -> None:
    server: Server = new_server(ADDTOCRM_WORKERS="2")
    account = server.account()
    cli("import", "people", str(write(tmp_path, PEOPLE[:2])), environment=server.environment)
    found(account, ["Ada", "Bo"], job_title="VP Sales")
    server.kill()
    cli("import", "people", str(write(tmp_path, PEOPLE)), environment=server.environment)
    server.start()
    for _ in range(4):
        found(account, ["Ada", "Bo", "Cy"], job_title="VP Sales")
    assert cli("search", "rebuild", environment=server.environment)["people"] == 4
    found(account, ["Ada", "Bo", "Cy"], job_title="VP Sales")
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGTERM)
    assert server.process.wait(60) == 0


def test_a_name_written_otherwise_finds_its_person(searched: Server) -> None:
    account = searched.account(credits=10)
    found(searched.account(credits=200), ["Ada", "Bo"], company_name="Acme Example")
    asked = {"first_name": "A.", "last_name": "EXAMPLE", "company_name": "ACME-Example, Inc."}
    answer = account.client.post("/v1/people/enrich", json=asked).json()
    assert (answer["data"]["full_name"], answer["data"]["confidence"]) == ("Ada Example", 0.56)
    surer = account.client.post("/v1/people/enrich", json={**asked, "first_name": "B.", "min_confidence": 0.6})
    assert surer.status_code == 404


def test_a_company_in_han_characters_is_not_another_of_that_sound(new_server: Any, tmp_path: Path) -> None:
    server: Server = new_server()
    companies = {"Xin": "中信", "Tuan": "中信 集團", "New": "中新", "Latin": "Zhongxin"}
    people = [
        (f"{name.lower()}-han", f"{name} Example", "Clerk", company, "CN", "", "SQL")
        for name, company in companies.items()
    ]
    cli("import", "people", str(write(tmp_path, people)), environment=server.environment)
    account = server.account(credits=100)
    until(lambda: search(account, filters={"skills": "SQL"}, refresh=True).json()["total"] == 4, 60)
    found = {
        one: set(names(search(account, filters={"company_name": one})))
        for one in ("中信", "中新", "zhongxin", "中信集团")
    }
    assert found == {
        "中信": {"Xin", "Tuan", "Latin"},
        "中新": {"New", "Latin"},
        "zhongxin": {"Xin", "Tuan", "New", "Latin"},
        "中信集团": set(),
    }
    assert set(names(search(account, filters={"company_name": {"exclude": "中信"}}))) == {"New"}
    again = search(account, filters={"company_name": "中信 集團 Ltd."})
    assert (set(names(again)), again.json()["cached"]) == ({"Tuan"}, False)
    assert search(account, filters={"company_name": "中信 集团"}).json()["cached"] is True


def test_signs_are_part_of_skills_titles_and_keywords(new_server: Any, tmp_path: Path) -> None:
    server: Server = new_server()
    people = [
        (f"{name.lower()}-signs", f"{name} Example", f"{skill} Developer", "Acme Example", "DE", "", f"{skill};SQL")
        for name, skill in (("Cy", "C"), ("Pia", "C++"), ("Sha", "C#"), ("Both", "C/C++"))
    ]
    cli("import", "people", str(write(tmp_path, people)), environment=server.environment)
    account = server.account(credits=100)
    until(lambda: search(account, filters={"skills": "SQL"}, refresh=True).json()["total"] == 4, 60)
    for filter in ("skills", "job_title", "keywords"):
        wanted = {"C": {"Cy", "Both"}, "C++": {"Pia", "Both"}, "c#": {"Sha"}, "Ｃ＋＋": {"Pia", "Both"}}
        for sign, expected in wanted.items():
            answer = search(account, filters={filter: sign})
            assert set(names(answer)) == expected, (filter, sign)
            assert answer.json()["cached"] is (sign == "Ｃ＋＋")
