"""Invented people to be searched, and who of them is found by reading all."""

import json
import random
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from addtocrm.core.db.pool import Pool

FIRST = ["Jane", "Björn", "Zoë", "José", "Anna-Maria", "Wei", "Олена", "Kwame", "Siân", "Ravi"]
LAST = ["Doe", "Müller", "O'Neil", "García López", "van der Berg", "Šimek", "Okafor", "Łukaszewski", "Iyer", "Smith"]
SAID = {
    "VP Sales": ("vp", "Sales"),
    "Vice President of Sales": ("vp", "Sales"),
    "Sales VP": ("vp", "Sales"),
    "Vice President, Sales Operations": ("vp", "Sales"),
    "Head of Growth": ("director", "Marketing"),
    "CTO": ("cxo", "Engineering"),
    "Chief Technology Officer": ("cxo", "Engineering"),
    "Sr. Software Engineer": ("senior", "Engineering"),
    "Senior Software Engineer": ("senior", "Engineering"),
    "Software Engineer": (None, "Engineering"),
    "Engineering Manager": ("manager", "Engineering"),
    "HR Manager": ("manager", "Human Resources"),
    "Human Resources Director": ("director", "Human Resources"),
    "Accountant": (None, "Finance"),
    "Marketing Intern": ("training", "Marketing"),
    "Founder & CEO": ("owner", None),
}
"""Titles, and the seniority and department that each says."""
TITLES = [*SAID]
LEVELS = {None: 4, "vp": 2, "cxo": 1, "Director": 1, "manager": 1, "senior": 2, "C-Suite": 1}
DEPARTMENTS = ["Sales", "human_resources", "Human Resources", "Engineering", "Finance"]
COMPANIES = ["Acme GmbH", "Acme Robotics", "Grünwerk AG", "Smith & Sons Ltd.", "Globex Inc", "Initech"]
INDUSTRIES = ["Software", "Computer Software", "Renewable Energy", "Énergie"]
SIZES = ["1-10", "11-50", "51-200", "10001+", "2-10 employees", "nonsense"]
PLACES = [
    ("Berlin", "Berlin", "Germany", "DE"), ("München", "Bayern", "Germany", "DE"), ("New York", "New York", "US", "US"),
    ("York", "North Yorkshire", "United Kingdom", "GB"), ("São Paulo", "São Paulo", "Brazil", "BR"),
]  # fmt: skip
SKILLS = ["machine learning", "Machine vision", "learning design", "Python", "C++", "negotiation", "project finance"]

Row = dict[str, Any]


def person(rng: random.Random, id: str) -> Row:
    """Somebody, as the people table has them."""
    city, region, country, code = rng.choice(PLACES)
    company = rng.choice(COMPANIES)
    full = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
    data: Row = {
        "linkedin_url": f"https://www.linkedin.com/in/{id[4:]}",
        "full_name": full,
        "job_title": rng.choice([None, *TITLES]),
        "headline": rng.choice([None, f"{rng.choice(TITLES)} | {rng.choice(SKILLS)}"]),
        "seniority": rng.choices([*LEVELS], [*LEVELS.values()])[0],
        "department": rng.choice([None, *DEPARTMENTS]),
        "email": rng.choice([None, f"{id[4:]}@example.com"]),
        "phones": rng.choice([None, [{"number": "+15550100"}]]),
        "location": rng.choice([None, {"city": city, "region": region, "country": country, "country_code": code}]),
        "company": rng.choice(
            [None, {"name": company, "domain": f"{plain(company).split()[0]}.example.com",
                    "industry": rng.choice(INDUSTRIES), "size": rng.choice(SIZES)}]
        ),
        "skills": rng.sample(SKILLS, rng.randrange(4)),
        "experience": rng.choice([None, [{"title": rng.choice(TITLES), "company_name": rng.choice(COMPANIES)}]]),
    }  # fmt: skip
    return {name: value for name, value in data.items() if value}


FULL = {
    "vp": "vice president", "cto": "chief technology officer", "ceo": "chief executive officer", "sr": "senior",
    "hr": "human resources",
}  # fmt: skip


@cache
def plain(text: str) -> str:
    """Lower-case ASCII words."""
    special = str.maketrans({"ø": "o", "Ł": "L", "ł": "l", "ß": "ss", "'": ""})
    folded = unicodedata.normalize("NFKD", text.translate(special)).casefold()
    return " ".join(re.findall(r"[a-z0-9]+", "".join(one for one in folded if not unicodedata.combining(one))))


@cache
def title(text: str) -> frozenset[str]:
    """The words of a title in full."""
    full = " ".join(FULL.get(word, word) for word in plain(text).split())
    return frozenset(full.split()) - {"of", "and"}


def side_by_side(words: str, texts: Iterable[str | None]) -> bool:
    return any(text and f" {words} " in f" {plain(text)} " for text in texts)


def texts(row: Row, name: str) -> list[str | None]:
    """What a filter of words is looked for in."""
    company, location = row.get("company", {}), row.get("location", {})
    past = [text for job in row.get("experience", []) for text in (job["title"], job["company_name"])]
    return {
        "department": [row.get("department") or SAID.get(row.get("job_title", ""), (None, None))[1]],
        "company_name": [company.get("name")],
        "industry": [company.get("industry")],
        "region": [location.get("region")],
        "city": [location.get("city")],
        "skills": row.get("skills", []),
        "keywords": [row.get("job_title"), row.get("headline"), *row.get("skills", []), *past],
    }[name]


def has(row: Row, name: str, value: str) -> bool:
    """Whether somebody has a value of a filter."""
    company, location = row.get("company", {}), row.get("location", {})
    if name == "job_title":
        return bool(row.get("job_title")) and title(value) <= title(row["job_title"])
    if name == "seniority":
        level = row.get("seniority") or SAID.get(row.get("job_title", ""), (None, None))[0]
        return {"C-Suite": "cxo", "Director": "director"}.get(level or "", level) == value
    if name == "company_domain":
        return company.get("domain") == value
    if name == "company_size":
        return {"2-10 employees": "1-10"}.get(company.get("size", ""), company.get("size")) == value
    if name == "country":
        return location.get("country_code") == value
    return side_by_side(plain(value), texts(row, name))


POOL: Mapping[str, list[str]] = {
    "job_title": ["VP Sales", "vice president", "Sales", "CTO", "senior engineer", "Head of Growth", "chief"],
    "seniority": ["vp", "cxo", "director", "manager", "owner"],
    "department": ["sales", "Human Resources", "resources"],
    "company_domain": ["acme.example.com", "globex.example.com", "none.example.com"],
    "company_name": ["Acme", "ACME Robotics", "grunwerk", "Smith Sons"],
    "industry": ["software", "Computer Software", "energie", "Energy"],
    "company_size": ["1-10", "51-200", "10001+"],
    "country": ["DE", "US", "BR"],
    "region": ["Bayern", "york", "Sao Paulo"],
    "city": ["York", "New York", "Munchen", "SÃO PAULO"],
    "skills": ["machine learning", "machine", "learning", "python"],
    "keywords": ["machine learning", "Sales", "Acme", "software engineer", "python"],
}


def wanted(rng: random.Random) -> tuple[dict[str, tuple[list[str], list[str]]], dict[str, bool]]:
    """A random combination of filters (include, exclude), and flags."""
    filters: dict[str, tuple[list[str], list[str]]] = {}
    for name in rng.sample([*POOL], rng.choice([0, 1, 1, 2, 2, 3])):
        values = rng.sample(POOL[name], rng.randrange(1, 3))
        filters[name] = (values, []) if rng.random() < 0.75 else ([], values)
    flags = {name: rng.random() < 0.7 for name in ("has_email", "has_phone") if rng.random() < 0.25}
    return filters, flags


COMPLETE = [
    "linkedin_url", "full_name", "headline", "job_title", "seniority", "department", "email", "phones", "location",
    "company", "skills", "experience", "education",
]  # fmt: skip


class Crowd:
    """People who are searched by reading all of them, once for each value."""

    def __init__(self, people: Mapping[str, Row]) -> None:
        self.people = people
        self._having: dict[tuple[str, str], set[str]] = {}

    def having(self, name: str, values: Iterable[str]) -> set[str]:
        """The ids of all who have one of the values of a filter."""
        for value in values:
            if (name, value) not in self._having:
                self._having[name, value] = {id for id, row in self.people.items() if has(row, name, value)}
        return set[str]().union(*(self._having[name, value] for value in values))

    def found(self, filters: Any, flags: Mapping[str, bool]) -> list[str]:
        """The ids of all who are wanted, in their order."""
        ids = set(self.people)
        for name, (include, exclude) in filters.items():
            ids = (ids & self.having(name, include) if include else ids) - self.having(name, exclude)
        for name, flag in flags.items():
            field = {"has_email": "email", "has_phone": "phones"}[name]
            ids = {id for id in ids if bool(self.people[id].get(field)) == flag}
        titles_wanted = [title(value) for value in filters.get("job_title", ([], []))[0]]
        keywords = [plain(value) for value in filters.get("keywords", ([], []))[0]]

        def order(id: str) -> tuple[int, int, str]:
            row = self.people[id]
            exact = bool(row.get("job_title")) and title(row["job_title"]) in titles_wanted
            shown = any(side_by_side(one, [row.get("job_title"), row.get("headline")]) for one in keywords)
            return 0 if exact else 1 if shown else 2, -sum(1 for name in COMPLETE if row.get(name)), id

        return sorted(ids, key=order)


def crowd(rng: random.Random, size: int) -> dict[str, Row]:
    """So many people, by id."""
    return {id: person(rng, id) for id in (f"per_{rng.getrandbits(128):032x}" for _ in range(size))}


async def put(pool: Pool, people: Mapping[str, dict[str, Any]]) -> None:
    """Puts them into the people table."""
    rows = [(id, f"in:{id[4:]}", json.dumps(row)) for id, row in people.items()]
    async with pool.acquire() as db, db.transaction():
        await db.execute("create temp table new (id text, identity text, data jsonb) on commit drop")
        await db.copy_records_to_table("new", records=rows)
        await db.execute(
            """insert into people (id, identity, data) select id, identity, data from new
               on conflict (identity) do update set data = excluded.data"""
        )
