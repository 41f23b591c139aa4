"""An enrichment by name and company, against one by URL."""

import json
import random
import statistics
import time

from bench.crowd import imported, person
from bench.deployment import Deployment
from bench.figure import Figure

PEOPLE, ASKED = 100_000, 500


def figure(deployment: Deployment) -> Figure:
    imported(deployment, 0, PEOPLE)
    deployment.cli("search", "rebuild")
    with deployment.serve():
        by_name, by_url = both(deployment, PEOPLE)
    title = f"fresh enrichment by name and company among {PEOPLE:,} people, against by URL (ms)"
    return Figure(title, by_name, by_url, by_name / by_url, "≤ 2")


def both(deployment: Deployment, people: int) -> tuple[float, float]:
    """The median times in ms by name and by URL, of people who are asked for in turns; all are found."""
    rng = random.Random(7)
    times: tuple[list[float], list[float]] = ([], [])
    for number in rng.sample(range(people), 2 * ASKED):
        some = person(number)
        turn = len(times[0]) > len(times[1])
        fields = ("linkedin_url",) if turn else ("first_name", "last_name", "company_domain")
        began = time.perf_counter()
        answer = deployment.call("/v1/people/enrich", json.dumps({name: getattr(some, name) for name in fields}))
        times[turn].append((time.perf_counter() - began) * 1000)
        assert json.loads(answer)["data"]["linkedin_url"] == some.linkedin_url, answer
    return statistics.median(times[0]), statistics.median(times[1])
