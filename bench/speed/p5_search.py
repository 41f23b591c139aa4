"""P5: people search through the API against tantivy alone on the same index, and what else grows with the people.

`SCALE=10m` (any number, with `k` or `m`) says of how many people; each step is told when it is done.
"""

import http.client
import itertools
import json
import os
import random
import resource
import statistics
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import tantivy

from addtocrm.lookups.search.model import SearchPeople
from addtocrm.lookups.search.service import query_of
from addtocrm.sources.index import folder, schema
from addtocrm.sources.index.query import matching, tiers
from bench.crowd import CITIES, COMPANIES, COUNTRIES, SKILLS, TITLES, imported, person
from bench.deployment import PORT, Deployment, process_memory
from bench.figure import Figure
from bench.following import wait
from bench.speed.by_name import both

UNITS = {"k": 1_000, "m": 1_000_000}
SLICES = 10
SEARCHES, AT_ONCE = 1_000, 16


def figure(deployment: Deployment) -> Figure:
    people = _number(os.environ.get("SCALE", "200k"))
    more = min(100_000, people // 10)
    deployment.sql("truncate people")
    told = [_imported(deployment, people, more), _indexed(deployment, people)]
    alone_rate = imported(deployment, people, more)
    with deployment.serve() as server:
        wait(deployment)
        (ours, theirs), (many, theirs_many) = (_p99(deployment, clients) for clients in (1, AT_ONCE))
        told += [_tell(f"at {AT_ONCE} clients {many:.1f} against {theirs_many:.1f} ({many / theirs_many:.2f})")]
        told += [_tell("enrichment by name {:.1f} ms, by URL {:.1f} ms".format(*both(deployment, people)))]
        followed_rate = imported(deployment, people + more, more)
        began = time.perf_counter()
        wait(deployment)
        behind = time.perf_counter() - began
        told += [
            _tell(
                f"{more:,} more imported with the index {followed_rate:,.0f} a second, without {alone_rate:,.0f} "
                f"({followed_rate / alone_rate:.2f}), searchable {behind:.1f} s later"
            ),
            _forgotten(deployment, people // 2),
        ]
        memory = {kind: process_memory(server, kind, "VmHWM") for kind in ("worker", "index")}
        told += [_tell("memory at most {worker:,.0f} MB of a worker, {index:,.0f} MB of the index".format(**memory))]
    title = f"P5 people search at {people:,} people, p99 (ms) against tantivy alone; {'; '.join(told)}"
    return Figure(title, ours, theirs, ours / theirs, "≤ 2")


def _number(text: str) -> int:
    return int(text[:-1]) * UNITS[text[-1]] if text[-1] in UNITS else int(text)


def _tell(text: str) -> str:
    print(time.strftime("%H:%M:%S"), text, flush=True)
    return text


def _imported(deployment: Deployment, people: int, few: int) -> str:
    """Imports all: the first few, then in slices of one size."""
    began = time.perf_counter()
    rates = [imported(deployment, 0, few)]
    _tell(f"the first {few:,} imported {rates[0]:,.0f} a second")
    ends = [few + (people - few) * place // SLICES for place in range(SLICES + 1)]
    for first, end in itertools.pairwise(ends):
        rates.append(imported(deployment, first, end - first))
        _tell(f"{end:,} of {people:,} imported: {rates[-1]:,.0f} a second, {time.perf_counter() - began:,.0f} s so far")
    bytes_on_disk = deployment.sql("select pg_total_relation_size('people')")
    return _tell(
        f"imported {statistics.harmonic_mean(rates[1:]):,.0f} a second ({rates[0]:,.0f} of the first {few:,}, "
        f"{rates[SLICES // 2]:,.0f} at {ends[SLICES // 2]:,}), {bytes_on_disk / 1e9:.2f} GB"
    )


def _indexed(deployment: Deployment, people: int) -> str:
    built = deployment.cli("search", "rebuild")
    assert built["people"] == people, built
    build = folder.current(deployment.folder / folder.NAME)
    assert build is not None
    megabytes = sum(file.stat().st_size for file in build.iterdir()) / 1e6
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    rate = people / built["seconds"]
    return _tell(f"indexed {rate:,.0f} a second, {megabytes:,.0f} MB; memory of these commands at most {most:,.0f} MB")


def _forgotten(deployment: Deployment, number: int) -> str:
    """Forgets one, until a search does not find them any more."""
    some = person(number)
    asked = {"filters": {"company_domain": some.company_domain, "city": some.city}, "refresh": True, "limit": 100}
    assert some.linkedin_url in deployment.call("/v1/people/search", json.dumps(asked))
    began = time.perf_counter()
    deployment.cli("people", "forget", some.linkedin_url)
    taken = time.perf_counter() - began
    assert some.linkedin_url not in deployment.call("/v1/people/search", json.dumps(asked))
    return _tell(f"one forgotten in {taken:.1f} s")


def _p99(deployment: Deployment, clients: int) -> tuple[float, float]:
    """The time in ms that 99 of 100 mixed searches take at most, so many at a time: through the API, and alone."""
    build = folder.current(deployment.folder / folder.NAME)
    alone, asking = _alone(tantivy.Index.open(str(build))), _Asking(deployment.token)
    rng = random.Random(clients)
    times: tuple[list[float], list[float]] = ([], [])
    with ThreadPoolExecutor(clients) as threads:
        for _ in range(4):
            bodies = [_body(rng) for _ in range(SEARCHES // 4)]
            for found, work in zip(times, (asking, alone), strict=True):
                found += threads.map(_timed(work), bodies)
    ours, theirs = (statistics.quantiles(found, n=100)[98] for found in times)
    _tell(f"search p99 at {clients} clients {ours:.1f} ms against {theirs:.1f}: {ours / theirs:.2f}")
    return ours, theirs


def _body(rng: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {
        "job_title": rng.choice(TITLES),
        "country": rng.choice(COUNTRIES),
        "company_domain": f"c{rng.randrange(COMPANIES)}.example.com",
        "city": f"City {rng.randrange(CITIES)}",
        "skills": rng.choice(SKILLS),
        "keywords": rng.choice((*SKILLS, *TITLES)),
    }
    return {"filters": {name: made[name] for name in rng.sample([*made], rng.choice((1, 2, 2, 3)))}, "limit": 25}


Search = Callable[[dict[str, Any]], None]


def _alone(index: tantivy.Index) -> Search:
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


class _Asking:
    """Searches through the API, each thread over a connection of its own."""

    def __init__(self, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._local = threading.local()

    def __call__(self, body: dict[str, Any]) -> None:
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection("127.0.0.1", PORT)
        connection: http.client.HTTPConnection = self._local.connection
        connection.request("POST", "/v1/people/search", json.dumps({**body, "refresh": True}), self._headers)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text


def _timed(work: Search) -> Callable[[dict[str, Any]], float]:
    def timed(body: dict[str, Any]) -> float:
        began = time.perf_counter()
        work(body)
        return (time.perf_counter() - began) * 1000

    return timed
