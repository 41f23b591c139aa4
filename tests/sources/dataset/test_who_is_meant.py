"""Whom the operator's data have for a query: by any of somebody's URLs and addresses, and by a name in other words."""

import json
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from harness import Account, Server, cli, with_pool

from addtocrm.core.matching.names import name
from addtocrm.core.matching.search import Way, ways
from addtocrm.sources.contract import PersonQuery
from addtocrm.sources.providers.dataset import Dataset

ENRICH = "/v1/people/enrich"
READ = "select sum(idx_tup_fetch + seq_tup_read)::bigint from pg_stat_user_tables where relname like 'people%'"


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def imported(server: Server, folder: Path, *rows: dict[str, Any]) -> Any:
    file = folder / "people.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return cli("import", "people", "--restart", str(file), environment=server.environment)


def found(account: Account, **query: str) -> tuple[str, float] | None:
    answer = account.client.post(ENRICH, json=query)
    if answer.status_code == 404:
        return None
    person = answer.json()["data"]
    return person["full_name"], person["confidence"]


@pytest.fixture
def account(server: Server) -> Account:
    return server.account(credits=50)


def test_any_url_and_any_address(account: Account, tmp_path: Path) -> None:
    imported(
        account.server,
        tmp_path,
        {
            "linkedin_url": "linkedin.com/in/mia-meant",
            "full_name": "Mia Meant",
            "emails": [{"address": "Mia@meant.example.com"}, {"address": "M.Meant@Home.example.com"}, "no address"],
            "profiles": [
                {"network": "linkedin", "url": "linkedin.com/in/Mia-Former"},
                {"network": "linkedin", "url": "linkedin.com/in/mia-meant"},
                {"network": "github", "url": "github.com/mia"},
            ],
        },
    )
    person = account.enrich("mia-meant").json()["data"]
    assert (person["confidence"], person["email"]) == (1.0, "Mia@meant.example.com")
    assert [one["email"] for one in person["emails"]] == ["Mia@meant.example.com", "m.meant@home.example.com"]
    assert found(account, linkedin_url="https://de.linkedin.com/in/mia-former/") == ("Mia Meant", 0.95)
    assert found(account, email="MIA@meant.example.com") == ("Mia Meant", 0.95)
    assert found(account, email="m.meant@HOME.example.com") == ("Mia Meant", 0.9)
    assert account.client.post(ENRICH, json={"email": "m.meant@home.example.com", "min_confidence": 0.91}).is_error


def test_forgotten_by_any_of_them(account: Account, tmp_path: Path) -> None:
    server = account.server
    row = {
        "linkedin_url": "linkedin.com/in/fay-meant",
        "full_name": "Fay Meant",
        "email": "fay@meant.example.com",
        "emails": ["fay@home.example.com"],
        "former_linkedin_urls": "linkedin.com/in/fay-before; linkedin.com/in/fay-earlier",
    }
    imported(server, tmp_path, row)
    assert found(account, linkedin_url="linkedin.com/in/fay-earlier")
    done = cli("people", "forget", "linkedin.com/in/fay-before", environment=server.environment)
    assert done["identifiers"] == 5
    for query in ({"linkedin_url": "linkedin.com/in/fay-meant"}, {"email": "fay@home.example.com"}):
        assert account.client.post(ENRICH, json=query).status_code == 404
    again = [
        row,
        {"linkedin_url": "linkedin.com/in/fay-before", "full_name": "Fay Meant"},
        {"email": "new@meant.example.com", "emails": ["FAY@home.example.com"], "full_name": "Fay Meant"},
        {"linkedin_url": "linkedin.com/in/fay-new", "former_linkedin_urls": "linkedin.com/in/fay-meant"},
    ]
    assert imported(server, tmp_path, *again)["suppressed"] == 4


def test_one_address_and_a_name_in_other_words(account: Account, tmp_path: Path) -> None:
    server = account.server
    shared = {"email": "meant@shared.example.com"}
    imported(server, tmp_path, {**shared, "full_name": "Robert Meant"})
    imported(server, tmp_path, {**shared, "full_name": "Bob Meant", "linkedin_url": "linkedin.com/in/bob-meant"})
    imported(server, tmp_path, {**shared, "full_name": "Jane Meant"})
    imported(server, tmp_path, {**shared, "full_name": "J. Meant"})
    imported(server, tmp_path, {**shared, "full_name": "Meant, Robert", "job_title": "CTO"})
    rows = server.query("select identity, data from people where email = $1 order by identity", shared["email"])
    assert [row["identity"] for row in rows] == [
        "em:meant@shared.example.com|j meant",
        "em:meant@shared.example.com|jane meant",
        "in:bob-meant",
    ]
    assert json.loads(rows[2]["data"])["job_title"] == "CTO"
    assert found(account, email=shared["email"]) is None


def test_a_name_in_other_words(server: Server, tmp_path: Path) -> None:
    employer = {"company_name": "Meant & Sons Ltd", "company_domain": "meantsons.example.com"}
    imported(
        server,
        tmp_path,
        {"linkedin_url": "linkedin.com/in/rob-words", "first_name": "Robert", "last_name": "Wörds", **employer},
        {"linkedin_url": "linkedin.com/in/ann-words", "first_name": "Ann", "last_name": "Wörds", **employer},
        {
            "linkedin_url": "linkedin.com/in/ann-left",
            "first_name": "Ann",
            "last_name": "Left",
            "company_name": "Globex",
            "experience": [{"company": "Meant and Sons", "end_date": "2020-01"}],
        },
    )
    asked: list[tuple[Sequence[Way], Sequence[str], Sequence[str]]] = []
    slugs = [f"in:{slug}" for slug in ("rob-words", "ann-words", "ann-left")]
    ids = [row["id"] for row in server.query("select id from people where identity = any($1)", slugs)]

    def candidates(some: Sequence[Way], sites: Sequence[str], company_keys: Sequence[str]) -> list[str]:
        asked.append((some, sites, company_keys))
        return [*ids, "per_gone"]

    def meant(index: bool = True, **query: str) -> tuple[str | None, float] | None:
        async def ask(pool: Any) -> Any:
            return await Dataset(pool, candidates if index else None).person(PersonQuery(**query))

        match = with_pool(server.database_url, ask)
        return match and (match.object.first_name, match.confidence)

    site = {"company_domain": "jobs.meantsons.example.com"}
    assert meant(first_name="Bob", last_name="Woerds", **site) == ("Robert", 0.765)
    assert asked[-1] == (ways(name("", first="Bob", last="Woerds")), ["meantsons.example.com"], [])
    assert meant(first_name="Wörds", last_name="Ann", company_name="Meant and Sons") == ("Ann", 0.76)
    assert asked[-1][1:] == ([], ["meantsons"])
    assert meant(first_name="A.", last_name="Words", company_name="Meant & Sons") == ("Ann", 0.56)
    assert meant(first_name="Ann", last_name="Left", company_name="MEANT & SONS") == ("Ann", 0.6)
    assert meant(first_name="Ann", last_name="Right", **site) is None
    assert meant(index=False, first_name="Bob", last_name="Woerds", **site) is None
    exact = {"first_name": "Robert", "last_name": "Words", "company_domain": "meantsons.example.com"}
    assert meant(index=False, **exact) == meant(**exact) == ("Robert", 0.9)


def test_an_address_of_very_many(server: Server, tmp_path: Path) -> None:
    """It tells nobody from others, and costs no more than as many addresses."""
    names = [f"Jane {chr(97 + n % 26)}{n}" for n in range(3000)]

    def spent(address: str) -> tuple[float, int]:
        """The processor's seconds of the commands, and the rows that the database read for them."""
        began, read = cpu_of_children(), server.query(READ)[0][0]
        rows = [{"email": address.format(n=n), "full_name": one} for n, one in enumerate(names)]
        assert imported(server, tmp_path, *rows)["created"] == len(rows)
        assert imported(server, tmp_path, *rows)["unchanged"] == len(rows)
        later = [{**row, "job_title": "CTO"} for row in rows]
        assert imported(server, tmp_path, *later)["updated"] == len(rows)
        return cpu_of_children() - began, server.query(READ)[0][0] - read

    shared, apart = spent("all@shared.example.com"), spent("one{n}@apart.example.com")
    assert shared[0] < 4 * apart[0], (shared, apart)
    assert shared[1] < 100 * 3 * len(names), "each row is compared with a bounded number of others"
