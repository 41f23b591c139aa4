"""Noisy queries for people with namesakes and siblings, and for people who are not there (docs/matching.md)."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import noise

from addtocrm.core.matching.choose import Asked, Candidate, Choice, choose
from addtocrm.core.matching.companies import Company, company
from addtocrm.core.matching.letters import is_latin
from addtocrm.core.matching.names import name

SEED, QUERIES = 20261126, 50_000


def candidate(number: int, record: noise.Record) -> Candidate:
    names = [name("", first=record.first, last=record.last)]
    if not is_latin(record.full):
        names.append(name(record.full))
    employers = [company(firm.name, firm.domain) for firm in (record.firm, record.former) if firm]
    return Candidate(str(number), (), (record.email,), tuple(names), tuple(employers[:1]), tuple(employers[1:]))


def by_company(candidates: Iterable[Candidate]) -> dict[str, list[Candidate]]:
    """The people of each company, by each of its sites and names: those among whom somebody is looked for."""
    found: dict[str, list[Candidate]] = defaultdict(list)
    for one in candidates:
        for employer in (*one.employers, *one.former_employers):
            for key in employer.sites | employer.keys:
                found[key].append(one)
    return found


def answered(
    records: list[noise.Record], queries: Iterable[noise.Query]
) -> Iterator[tuple[noise.Query, Choice | None]]:
    people = by_company(candidate(number, record) for number, record in enumerate(records))
    for query in queries:
        employer = company(query.company_name, query.company_domain)
        asked = Asked(name=name("", first=query.first, last=query.last), company=employer)
        yield query, choose(asked, _at(people, employer))


def _at(people: dict[str, list[Candidate]], employer: Company) -> list[Candidate]:
    found = [people[key] for key in employer.sites or employer.keys if key in people]
    return found[0] if len(found) == 1 else list({one.id: one for some in found for one in some}.values())


class Figures:
    """What became of the queries."""

    def __init__(self) -> None:
        self.there = self.apart = self.right = self.right_apart = self.answers = self.queries = 0

    def count(self, query: noise.Query, right: bool, answer: bool) -> None:
        self.queries += 1
        self.there += query.person is not None
        self.apart += query.person is not None and query.apart
        self.answers += answer
        self.right += right
        self.right_apart += right and query.apart

    def __str__(self) -> str:
        return (
            f"{self.queries} queries, {self.there} of somebody who is there, {self.answers} answered; "
            f"precision {_share(self.right, self.answers)}, recall {_share(self.right_apart, self.apart)}, "
            f"with those who cannot be told apart {_share(self.right, self.there)}"
        )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else "-"


def test_who_is_meant() -> None:
    records, queries = noise.world(SEED, QUERIES)
    whole, kinds, grades = Figures(), defaultdict[str, Figures](Figures), defaultdict[str, Figures](Figures)
    wrong: Counter[tuple[str, bool]] = Counter()
    for query, choice in answered(records, queries):
        right = choice is not None and records[int(choice.candidate.id)].person == query.person
        for figures in (whole, kinds[query.name_noise], kinds[query.company_noise]):
            figures.count(query, right, choice is not None)
        if choice is not None:
            grades[getattr(choice.by, "name", "")].count(query, right, True)
            wrong[query.name_noise, query.person is None] += not right
    for title, figures in [("all", whole), *sorted(kinds.items()), *sorted(grades.items())]:
        print(f"{title}: {figures}")
    print("wrong, by (noise, not there):", wrong.most_common())
    assert whole.queries == QUERIES
    assert whole.right / whole.answers >= 0.995
    assert whole.right_apart / whole.apart >= 0.95
