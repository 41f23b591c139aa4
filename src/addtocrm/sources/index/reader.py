"""Searching the index."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast

import tantivy
from tantivy import FieldType, Occur, Order, Query

from addtocrm.core.matching.search import Way
from addtocrm.sources.index import damage, folder, schema
from addtocrm.sources.index.query import Wanted, matching, tiers

T = TypeVar("T")

MOST_COUNTED = 10_000
MOST_VALUES = 50
MOST_COUNTED_VALUES = 5_000
"""Values of a filter in one segment of the index, up to which its counts are exact."""
MOST_CANDIDATES = 1_000
ALIKE = 200
"""So many more are read at first than a page has: as many may have ids that begin alike."""


class NotReady(Exception):
    """There is no index that can be searched; it is being built."""


class TooMany(Exception):
    """More may be meant than are looked at."""


class Place(NamedTuple):
    """Where a page ended: how relevant the last of it is, and their `place`."""

    tier: int
    place: str


class Hits(NamedTuple):
    """The ids of a page in their order, how many there are in all, where the page ends where more follow, and of which
    database they are."""

    ids: Sequence[str]
    total: int
    after: Place | None
    generation: str


class Opened(NamedTuple):
    """A build, of which database it is, when its last commit was that is searched, and its index."""

    build: Path
    generation: str
    committed: int
    searched: tantivy.Index

    @property
    def searcher(self) -> tantivy.Searcher:
        return self.searched.searcher()


class Reader:
    """The index of a host, as it is on disk at the moment of each search. Its methods block for some milliseconds, and
    raise NotReady."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / folder.NAME
        self._schema = schema.build()
        self._opened: Opened | None = None

    def page(self, wanted: Wanted, limit: int, after: Place | None = None) -> Hits:
        """The page of `limit` people that follows `after`."""
        return self._ask(lambda opened: self._page(opened, wanted, limit, after))

    def _page(self, opened: Opened, wanted: Wanted, limit: int, after: Place | None) -> Hits:
        searcher = opened.searcher
        found: list[tuple[int, str]] = []
        parts = tiers(self._schema, wanted)
        start, counted, are_all = after.tier if after else 0, 0, after is None
        for tier in range(start, len(parts)):
            last = after.place if after and tier == start else None
            places, count = self._tier(searcher, parts[tier], limit + 1 - len(found), last)
            found += [(tier, place) for place in places]
            counted += count
            if len(found) > limit:
                are_all = are_all and tier == len(parts) - 1
                break
        in_all = counted if are_all else self._count(searcher, wanted)
        ended = Place(*found[limit - 1]) if len(found) > limit else None
        return Hits([place[1:] for _, place in found[:limit]], in_all, ended, opened.generation)

    def total(self, wanted: Wanted) -> int:
        """How many people are wanted."""
        return self._ask(lambda opened: self._count(opened.searcher, wanted))

    def _count(self, searcher: tantivy.Searcher, wanted: Wanted) -> int:
        found: Any = searcher.search(matching(self._schema, wanted), 1, count=True)
        return found.count

    def facets(self, wanted: Wanted, names: Sequence[str]) -> dict[str, dict[str, int]]:
        """For each of `names` how many of the people who are wanted have each value: the most frequent ones."""
        terms = {
            name: {"terms": {"field": schema.FACETS[name], "size": MOST_VALUES, "segment_size": MOST_COUNTED_VALUES}}
            for name in names
        }
        query = matching(self._schema, wanted)
        counted: Any = self._ask(lambda opened: cast(Any, opened.searcher).aggregate(query, terms))
        return {name: {one["key"]: one["doc_count"] for one in counted[name]["buckets"]} for name in names}

    def candidates(self, ways: Sequence[Way], sites: Sequence[str], company_keys: Sequence[str]) -> list[str]:
        """The ids of all people who are found in one of the ways and are, or were, at one of the sites or at a company
        with one of the keys (`core.matching`). Raises TooMany."""
        places = [(name, values) for name, values in (("sites", sites), ("company_keys", company_keys)) if values]
        at = [(Occur.Should, Query.term_set_query(self._schema, name, values)) for name, values in places]
        who = [(Occur.Should, self._way(way)) for way in ways]
        query = Query.boolean_query([(Occur.Must, Query.boolean_query(some)) for some in (who, at)])
        most = MOST_CANDIDATES + 1
        hits = self._ask(
            lambda opened: (
                opened.searcher.search(query, most, count=False, order_by_field="place", order=Order.Asc).hits
            )
        )
        if len(hits) == most:
            raise TooMany
        return [str(place)[1:] for place, _ in hits]

    def count(self) -> int:
        """How many people are in the index."""
        return self._ask(lambda opened: opened.searcher.num_docs)

    def _way(self, way: Way) -> Query:
        groups = (Query.term_set_query(self._schema, "name_words", words) for words in way)
        return Query.boolean_query([(Occur.Must, group) for group in groups])

    def _tier(self, searcher: tantivy.Searcher, query: Query, limit: int, last: str | None) -> tuple[list[str], int]:
        """The places that follow `last`, and of how many they are; without `last`, of all."""
        if last is not None:
            near, _ = schema.order(last[1:], len(schema.COMPLETE) - int(last[0], 16))
            from_there = Query.range_query(self._schema, "near", FieldType.Unsigned, near, None)
            query = Query.boolean_query([(Occur.Must, query), (Occur.Must, from_there)])
        size = limit if last is None else limit + ALIKE
        while True:
            found: Any = searcher.search(query, size, count=True, order_by_field="place", order=Order.Asc)
            places = [str(place) for place, _ in found.hits if last is None or str(place) > last]
            if len(places) >= limit or len(found.hits) < size:
                return places[:limit], found.count
            size *= 4

    def _ask(self, question: Callable[[Opened], T]) -> T:
        """What the current build answers; one that tantivy finds broken is suspected, which the follower looks into."""
        while build := folder.current(self._root):
            try:
                with damage.telling():
                    return question(self._open(build))
            except (NotReady, ValueError, OSError) as error:
                if folder.current(self._root) != build:
                    continue
                if isinstance(error, NotReady) or not damage.tells_of_damage(error):
                    raise
                self._opened = None
                damage.suspect(build)
                raise NotReady from error
        raise NotReady

    def _open(self, build: Path) -> Opened:
        """The build at its last commit."""
        opened, committed = self._opened, (build / "meta.json").stat().st_mtime_ns
        if opened is None or opened.build != build:
            position = folder.position(build)
            if position is None:
                raise NotReady
            index = tantivy.Index.open(str(build))
            index.config_reader("Manual")
            opened = Opened(build, position.generation, committed, index)
        elif opened.committed != committed:
            opened.searched.reload()
            opened = opened._replace(committed=committed)
        self._opened = opened
        return opened
