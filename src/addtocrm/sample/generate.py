"""Writes the sample files: `python -m addtocrm.sample.generate`. The same files every time."""

import csv
import random
import re
from collections.abc import Iterator
from pathlib import Path

from anyascii import anyascii

from addtocrm.sample import companies_file, people_file, story

COMPANY_COLUMNS: tuple[str, ...] = (
    "name", "domain", "website", "linkedin_url", "industry", "size", "employee_count", "founded_year", "type",
    "description", "city", "region", "country", "phone", "technologies",
)  # fmt: skip
PERSON_COLUMNS: tuple[str, ...] = (
    "linkedin_url", "first_name", "last_name", "full_name", "headline", "job_title", "seniority", "department",
    "email", "phone", "city", "region", "country", "company_name", "company_domain", "company_linkedin_url",
    "industry", "company_size", "skills",
)  # fmt: skip

ROOTS = ("example.com", "example.net", "example.org", "test")
PEOPLE_PER_COMPANY = 5
Row = dict[str, str]


def companies(rng: random.Random) -> list[Row]:
    """Acme Example, and three companies in each industry for three cities each."""
    rows = [_company("Acme Example", "acme.example.com", "Software", "Washington", rng)]
    cities = sorted(story.CITIES)
    for industry, (names, _) in story.INDUSTRIES.items():
        for name in names:
            for city in rng.sample(cities, 3):
                root = ROOTS[len(rows) % len(ROOTS)]
                title = f"{name} {city}"
                rows.append(_company(title, f"{_slug(title)}.{root}", industry, city, rng))
    return rows


def _company(name: str, domain: str, industry: str, city: str, rng: random.Random) -> Row:
    region, country, phone = story.CITIES[city]
    size = rng.choice(sorted(story.SIZES))
    return {
        "name": name,
        "domain": domain,
        "website": f"https://www.{domain}",
        "linkedin_url": f"https://www.linkedin.com/company/{_slug(name.removesuffix(' Example'))}-example",
        "industry": industry,
        "size": size,
        "employee_count": str(rng.randint(*story.SIZES[size])),
        "founded_year": str(rng.randint(1961, 2022)),
        "type": rng.choice(("Privately held", "Partnership", "Public company")),
        "description": f"{name} is an invented company in {industry.lower()} from {city}.",
        "city": city,
        "region": region,
        "country": country,
        "phone": _phone(phone, rng),
        "technologies": ";".join(
            sorted(rng.sample(("PostgreSQL", "Valkey", "Python", "TypeScript", "SAP", "Excel"), 2))
        ),
    }


def people(rng: random.Random, employers: list[Row]) -> Iterator[Row]:
    """Jane Doe, and PEOPLE_PER_COMPANY people of each company."""
    yield _person("Jane", "Doe", "Sales", "vp", employers[0], "+1 202-555-0142", rng)
    taken = {"jane-doe-example"}
    for employer in employers:
        for _ in range(PEOPLE_PER_COMPANY):
            while True:
                culture = _culture(employer["city"], rng)
                first, last = (
                    rng.choice(names[culture].split()).replace("_", " ")
                    for names in (story.FIRST_NAMES, story.LAST_NAMES)
                )
                department = rng.choice(sorted(story.DEPARTMENTS))
                seniority = rng.choice(sorted(story.DEPARTMENTS[department][0]))
                phone = _phone(story.CITIES[employer["city"]][2], rng)
                person = _person(first, last, department, seniority, employer, phone, rng)
                if _own(person["linkedin_url"]) not in taken:
                    break
            taken.add(_own(person["linkedin_url"]))
            yield person


def _person(
    first: str, last: str, department: str, seniority: str, employer: Row, phone: str, rng: random.Random
) -> Row:
    titles, skills = story.DEPARTMENTS[department]
    title = titles[seniority]
    return {
        "linkedin_url": f"https://www.linkedin.com/in/{_slug(f'{first} {last}')}-example",
        "first_name": first,
        "last_name": last,
        "full_name": story.ORIGINAL_NAMES.get(f"{first} {last}", f"{first} {last}"),
        "headline": f"{title} at {employer['name']}",
        "job_title": title,
        "seniority": seniority,
        "department": department,
        "email": _email(first, last, employer["domain"], rng),
        "phone": phone,
        "city": employer["city"],
        "region": employer["region"],
        "country": employer["country"],
        "company_name": employer["name"],
        "company_domain": employer["domain"],
        "company_linkedin_url": employer["linkedin_url"],
        "industry": employer["industry"],
        "company_size": employer["size"],
        "skills": skills or story.INDUSTRIES[employer["industry"]][1],
    }


def _culture(city: str, rng: random.Random) -> str:
    """Mostly the city's own, one in four from elsewhere."""
    own = next(culture for culture, cities in story.CULTURES.items() if city in cities)
    return own if rng.random() < 0.75 else rng.choice(sorted(story.CULTURES))


def _email(first: str, last: str, domain: str, rng: random.Random) -> str:
    """Most companies write first.last, those at .test f.last; one person in ten has none that is known."""
    if first != "Jane" and rng.random() < 0.1:
        return ""
    given, family = _slug(first).replace("-", ""), _slug(last).replace("-", "")
    local = f"{given[0]}{family}" if domain.endswith(".test") else f"{given}.{family}"
    return f"{local}@{domain}"


def _phone(prefix: str | None, rng: random.Random) -> str:
    return f"{prefix}{rng.randint(0, 99):02}" if prefix else ""


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", anyascii(text).lower().replace("'", "")).strip("-")


def _own(url: str) -> str:
    return url.rpartition("/")[2]


def write(people_to: Path, companies_to: Path) -> None:
    """Writes both files."""
    rng = random.Random(20_260_101)  # noqa: S311
    employers = companies(rng)
    for path, columns, rows in (
        (companies_to, COMPANY_COLUMNS, employers),
        (people_to, PERSON_COLUMNS, people(rng, employers)),
    ):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    write(people_file(), companies_file())
