"""The sample data is invented, consistent and made by its generator."""

import csv
from pathlib import Path

from addtocrm import sample
from addtocrm.core import identifiers
from addtocrm.sample import generate

RESERVED = (".example.com", ".example.net", ".example.org", ".test")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_generator_makes_these_files(tmp_path: Path) -> None:
    generate.write(tmp_path / "people.csv", tmp_path / "companies.csv")
    assert (tmp_path / "people.csv").read_bytes() == sample.people_file().read_bytes()
    assert (tmp_path / "companies.csv").read_bytes() == sample.companies_file().read_bytes()


def test_the_story_is_consistent() -> None:
    companies = {row["domain"]: row for row in rows(sample.companies_file())}
    people = rows(sample.people_file())
    assert len(companies) >= 60
    assert len(people) >= 300
    assert len({row["linkedin_url"] for row in people}) == len(people)
    for domain, company in companies.items():
        assert domain.endswith(RESERVED)
        assert identifiers.domain(domain) == domain
        assert identifiers.company_url(company["linkedin_url"]) == company["linkedin_url"]
    for person in people:
        assert identifiers.person_url(person["linkedin_url"]) == person["linkedin_url"]
        assert person["linkedin_url"].endswith("-example")
        employer = companies[person["company_domain"]]
        for own, theirs in (("company_name", "name"), ("city", "city"), ("industry", "industry")):
            assert person[own] == employer[theirs]
        if person["email"]:
            assert identifiers.email(person["email"]).endswith("@" + person["company_domain"])
    assert (people[0]["full_name"], people[0]["email"]) == ("Jane Doe", "jane.doe@acme.example.com")
    assert any(not person["full_name"].isascii() for person in people)
    assert any(not person["email"] for person in people)
