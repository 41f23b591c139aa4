"""Noisy queries for people with namesakes and siblings, and for people who are not there (docs/matching.md)."""

import gc
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import noise

from addtocrm.core.matching.choose import Asked, Candidate, Choice, choose
from addtocrm.core.matching.companies import company
from addtocrm.core.matching.letters import is_latin
from addtocrm.core.matching.names import name
from addtocrm.core.matching.search import Way, ways, words

Index = dict[tuple[str, str], dict[str, Candidate]]

SEED, QUERIES = 20261126, 50_000


def candidate(number: int, record: noise.Record) -> Candidate:
    names = [name("", first=record.first, last=record.last)]
    if not is_latin(record.full):
        names.append(name(record.full))
    employers = [company(firm.name, firm.domain) for firm in (record.firm, record.former) if firm]
    return Candidate(str(number), (), (record.email,), tuple(names), tuple(employers[:1]), tuple(employers[1:]))


def by_company_and_word(candidates: Iterable[Candidate]) -> Index:
    """The people by each site and name of their companies, and by each word that they are found by."""
    found: Index = defaultdict(dict)
    for one in candidates:
        known_by = {word for written in one.names for word in words(written)}
        for key in {key for at in (*one.employers, *one.former_employers) for key in at.sites | at.keys}:
            for word in known_by:
                found[key, word][one.id] = one
    return found


def answered(
    records: list[noise.Record], queries: Iterable[noise.Query]
) -> Iterator[tuple[noise.Query, Choice | None]]:
    people = by_company_and_word(candidate(number, record) for number, record in enumerate(records))
    gc.freeze()  # they are many objects, and stay
    for query in queries:
        employer = company(query.company_name, query.company_domain)
        asked = Asked(name=name("", first=query.first, last=query.last), company=employer)
        yield query, choose(asked, _found(people, asked))


def _found(people: Index, asked: Asked) -> list[Candidate]:
    assert asked.name
    found: dict[str, Candidate] = {}
    for place in asked.company.sites or asked.company.keys:
        for way in ways(asked.name):
            found |= _in_one_way(people, place, way)
    return list(found.values())


def _in_one_way(people: Index, place: str, way: Way) -> dict[str, Candidate]:
    groups = [{id: one for word in group for id, one in people.get((place, word), {}).items()} for group in way]
    return {id: one for id, one in groups[0].items() if all(id in group for group in groups)}


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
