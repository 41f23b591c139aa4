"""P5: people search through the API against tantivy alone on the same index; `SCALE=10m` for ten million people."""

import json
import os
import random
import statistics
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import tantivy

from addtocrm.lookups.search.model import SearchPeople
from addtocrm.lookups.search.service import query_of
from addtocrm.sources.index import folder, schema
from addtocrm.sources.index.query import matching, tiers
from bench.deployment import Deployment
from bench.figure import Figure

PEOPLE = 10_000_000 if os.environ.get("SCALE") == "10m" else 200_000
SEARCHES, AT_ONCE = 1_000, 16
TITLES = (
    "VP Sales",
    "Chief Technology Officer",
    "Software Engineer",
    "Account Manager",
    "Head of Growth",
    "Accountant",
)
COUNTRIES = ("DE", "FR", "GB", "US", "ES")
SKILLS = ("Python", "Negotiation", "Project finance", "Machine learning", "CAD")
MADE = f"""
    insert into people (id, identity, data)
    select 'per_' || replace(gen_random_uuid()::text, '-', ''), 'in:s' || n || '-example', json_build_object(
        'linkedin_url', 'https://www.linkedin.com/in/s' || n || '-example', 'full_name', 'Sam ' || n || ' Example',
        'email', 's' || n || '@example.com', 'job_title', ('{{{",".join(TITLES)}}}'::text[])[1 + n * 7 % {len(TITLES)}],
        'location', json_build_object('city', 'City ' || n % 997,
            'country_code', ('{{{",".join(COUNTRIES)}}}'::text[])[1 + n % {len(COUNTRIES)}]),
        'company', json_build_object('name', 'Company ' || n % 50021, 'domain', 'c' || n % 50021 || '.example.com'),
        'skills', json_build_array(('{{{",".join(SKILLS)}}}'::text[])[1 + n / 11 % {len(SKILLS)}]))
    from generate_series($1::int, $2::int) n"""
CHUNK = 100_000


def figure(deployment: Deployment) -> Figure:
    deployment.sql("truncate people")
    for first in range(1, PEOPLE, CHUNK):
        deployment.sql(MADE, first, first + CHUNK - 1)
    began = time.perf_counter()
    deployment.cli("search", "rebuild")
    rate = PEOPLE / (time.perf_counter() - began)
    build = folder.current(deployment.folder / folder.NAME)
    assert build is not None
    megabytes = sum(file.stat().st_size for file in build.iterdir()) / 1e6
    rng = random.Random(5)
    alone = _alone(tantivy.Index.open(str(build)))
    with deployment.serve():
        slowest = {}
        for clients in (1, AT_ONCE):
            bodies = [_body(rng) for _ in range(SEARCHES)]
            theirs = _p99(alone, bodies, clients)
            slowest[clients] = (_p99(lambda body: _search(deployment, body), bodies, clients), theirs)
    (ours, theirs), (ours_many, theirs_many) = slowest.values()
    title = (
        f"P5 people search at {PEOPLE:,} people, p99 (ms) against tantivy alone; at {AT_ONCE} clients "
        f"{ours_many:.1f} against {theirs_many:.1f}; indexed {rate:,.0f} a second, {megabytes:,.0f} MB"
    )
    return Figure(title, ours, theirs, ours / theirs, "≤ 2")


def _body(rng: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {
        "job_title": rng.choice(TITLES),
        "country": rng.choice(COUNTRIES),
        "company_domain": f"c{rng.randrange(50021)}.example.com",
        "city": f"City {rng.randrange(997)}",
        "skills": rng.choice(SKILLS),
        "keywords": rng.choice((*SKILLS, *TITLES)),
    }
    return {"filters": {name: made[name] for name in rng.sample([*made], rng.choice((1, 2, 2, 3)))}, "limit": 25}


def _alone(index: tantivy.Index) -> Callable[[dict[str, Any]], None]:
    """Searches as the API does, by the engine and nothing else."""
    fields, searcher = schema.build(), index.searcher()

    def search(body: dict[str, Any]) -> None:
        asked = query_of(msgspec.convert(body, SearchPeople))
        found, parts = 0, tiers(fields, asked.wanted)
        for part in parts:
            size = asked.limit + 1 - found
            page: Any = searcher.search(part, size, count=True, order_by_field="place", order=tantivy.Order.Asc)
            found += len(page.hits)
            if found > asked.limit:
                break
        if part is not parts[-1]:
            searcher.search(matching(fields, asked.wanted), 1, count=True)

    return search


def _search(deployment: Deployment, body: dict[str, Any]) -> None:
    deployment.call("/v1/people/search", json.dumps({**body, "refresh": True}))


def _p99(work: Callable[[dict[str, Any]], None], bodies: Iterable[dict[str, Any]], clients: int) -> float:
    """The time in ms that 99 of 100 take at most, so many at a time."""

    def timed(body: dict[str, Any]) -> float:
        began = time.perf_counter()
        work(body)
        return (time.perf_counter() - began) * 1000

    with ThreadPoolExecutor(clients) as threads:
        return statistics.quantiles(threads.map(timed, bodies), n=100)[98]
