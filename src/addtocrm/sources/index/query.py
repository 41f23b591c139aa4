"""What is searched for, and the index's query for it."""

from collections.abc import Mapping, Sequence

import msgspec
import tantivy
from tantivy import Occur, Query

from addtocrm.core import identifiers
from addtocrm.core.matching import han
from addtocrm.sources import titles
from addtocrm.sources.index.signs import spelt_out


class Filter(msgspec.Struct, frozen=True):
    """Values of one filter, each in its normal form: somebody has one of `include` and none of `exclude`."""

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Who is searched for: all filters are required."""

    filters: Mapping[str, Filter] = {}
    has_email: bool | None = None
    has_phone: bool | None = None


TERMS = {"seniority": "seniority", "company_domain": "domain", "company_size": "size", "country": "country"}
"""Filters of one whole value, and their field."""

PHRASES = {
    "department": "department",
    "industry": "industry",
    "region": "region",
    "city": "city",
    "skills": "skills",
    "keywords": "keywords",
}
"""Filters of words that stand side by side, and their field."""

WITH_SIGNS = ("skills", "keywords")


def normal(name: str, value: str) -> str:
    """A filter's text in its normal form: the words that are compared. Raises ValueError where it has none."""
    if name == "job_title":
        found = " ".join(sorted(titles.words(spelt_out(value))))
    elif name == "company_name":
        text = identifiers.without_legal_form(value)
        found = han.words(text) or identifiers.plain(text)
    else:
        found = identifiers.plain(spelt_out(value) if name in WITH_SIGNS else value)
    if not found:
        raise ValueError("has no word in it.")
    return found


def matching(schema: tantivy.Schema, wanted: Wanted) -> Query:
    """The query for everybody who is wanted."""
    parts: list[tuple[Occur, Query]] = []
    for name, values in wanted.filters.items():
        if values.include:
            parts.append((Occur.Must, _any(schema, name, values.include)))
        if values.exclude:
            parts.append((Occur.MustNot, _any(schema, name, values.exclude)))
    for name, flag in (("has_email", wanted.has_email), ("has_phone", wanted.has_phone)):
        if flag is not None:
            parts.append((Occur.Must if flag else Occur.MustNot, Query.term_query(schema, name, True)))
    if all(occur is Occur.MustNot for occur, _ in parts):
        parts.append((Occur.Must, Query.all_query()))
    return Query.boolean_query(parts)


def tiers(schema: tantivy.Schema, wanted: Wanted) -> list[Query]:
    """The query for everybody who is wanted, apart by how relevant they are, the most relevant first: who has just a
    title that is asked for, who has a keyword in title or headline, and the others."""
    everybody = matching(schema, wanted)
    signs: list[Query] = []
    title, keywords = wanted.filters.get("job_title"), wanted.filters.get("keywords")
    if title and title.include:
        signs.append(_one_of([Query.term_query(schema, "whole_title", value) for value in title.include]))
    if keywords and keywords.include:
        signs.append(_one_of([_phrase(schema, "shown", value) for value in keywords.include]))
    found: list[Query] = []
    for place, sign in enumerate(signs):
        before = [(Occur.MustNot, one) for one in signs[:place]]
        found.append(Query.boolean_query([(Occur.Must, everybody), (Occur.Must, sign), *before]))
    rest = [(Occur.MustNot, one) for one in signs]
    return [*found, Query.boolean_query([(Occur.Must, everybody), *rest])]


def _any(schema: tantivy.Schema, name: str, values: Sequence[str]) -> Query:
    if name in TERMS:
        return Query.term_set_query(schema, TERMS[name], list(values))
    if name == "company_name":
        return _one_of([_company(schema, value) for value in values])
    if name == "job_title":
        return _one_of([_all(schema, "title", value) for value in values])
    return _one_of([_phrase(schema, PHRASES[name], value) for value in values])


def _company(schema: tantivy.Schema, name: str) -> Query:
    """A company's name: by how it sounds, but where both have Han characters these decide."""
    heard = _phrase(schema, "company", identifiers.plain(name))
    if name.isascii():
        return heard
    in_latin = [(Occur.Must, heard), (Occur.MustNot, Query.term_query(schema, "has_company_han", True))]
    return _one_of([_phrase(schema, "company_han", name), Query.boolean_query(in_latin)])


def _one_of(queries: list[Query]) -> Query:
    return queries[0] if len(queries) == 1 else Query.boolean_query([(Occur.Should, one) for one in queries])


def _all(schema: tantivy.Schema, field: str, words: str) -> Query:
    return Query.boolean_query([(Occur.Must, Query.term_query(schema, field, word)) for word in words.split()])


def _phrase(schema: tantivy.Schema, field: str, words: str) -> Query:
    """The words side by side, in their order."""
    found = words.split()
    return Query.term_query(schema, field, words) if len(found) == 1 else Query.phrase_query(schema, field, [*found])
