"""Noisy queries for people with namesakes and siblings, and for people who are not there (docs/matching.md)."""

import gc
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import product

import noise

from addtocrm.core.matching.choose import Asked, Candidate, Choice, choose
from addtocrm.core.matching.companies import company
from addtocrm.core.matching.letters import is_latin
from addtocrm.core.matching.names import name, search_words

Index = dict[tuple[str, str], list[Candidate]]

SEED, QUERIES = 20261126, 50_000


def candidate(number: int, record: noise.Record) -> Candidate:
    names = [name("", first=record.first, last=record.last)]
    if not is_latin(record.full):
        names.append(name(record.full))
    employers = [company(firm.name, firm.domain) for firm in (record.firm, record.former) if firm]
    return Candidate(str(number), (), (record.email,), tuple(names), tuple(employers[:1]), tuple(employers[1:]))


def by_company_and_word(candidates: Iterable[Candidate]) -> Index:
    """The people by each site and name of their companies, and by each word that they are found by."""
    found: Index = defaultdict(list)
    for one in candidates:
        words = {word for written in one.names for word in search_words(written)}
        for key in {key for at in (*one.employers, *one.former_employers) for key in at.sites | at.keys}:
            for word in words:
                found[key, word].append(one)
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
    places = product(asked.company.sites or asked.company.keys, search_words(asked.name))
    return list({one.id: one for place in places for one in people.get(place, ())}.values())


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
