"""Terms as searches: as few as the limits of HubSpot's search allow."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from addtocrm.crm.connectors.hubspot.fields import MORE_EMAILS
from addtocrm.crm.connectors.hubspot.objects import BATCH
from addtocrm.crm.contract import Term
from addtocrm.crm.kinds import Kind

PAGE_SIZE = 200
GROUPS, GROUP_FILTERS, FILTERS, BODY_BYTES, TEXT_BYTES = 5, 6, 18, 2_980, 2_000
NAMES_TOGETHER = 4
"""So many names share a group of filters, which finds a few people more: the first name of one, the last of another."""
Group = tuple[int, Mapping[str, tuple[str, ...]]]
"""So many terms of the same fields, and the texts that each field may have."""


def is_email(kind: Kind, term: Term) -> bool:
    """Whether the term is of email addresses alone, which are looked up without a search."""
    return kind == "contact" and len(term) == 1 and not set(term) - {"email", MORE_EMAILS}


def is_of(term: Term, group: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether the group of a search asks for the term."""
    return term.keys() == group.keys() and all({t.lower() for t in term[n]} & set(group[n]) for n in term)


def queries(terms: Iterable[Term]) -> Iterator[Sequence[Group]]:
    """The groups of each search for the terms, those of one field first. What no search can hold is left out."""
    query: Sequence[Group] = ()
    for term in sorted(_lowered(terms), key=lambda one: (len(one), sorted(one))):
        grown = _grown(query, term)
        if not _fits(grown):
            if query:
                yield query
            grown = _grown((), term)
        query = grown if _fits(grown) else ()
    if query:
        yield query


def body(query: Sequence[Group], after: str = "0") -> dict[str, Any]:
    """A search for the groups, from the place `after` on, the oldest first. It gives ids alone."""
    groups = [
        {"filters": [{"propertyName": name, "operator": "IN", "values": texts} for name, texts in group.items()]}
        for _, group in query
    ]
    return _body(groups, "createdate", PAGE_SIZE, after)


def beyond(id: str, limit: int) -> dict[str, Any]:
    """A search for up to `limit` records with greater ids, in their order. It gives ids alone."""
    return _body(
        [{"filters": [{"propertyName": "hs_object_id", "operator": "GT", "value": id}]}], "hs_object_id", limit
    )


def _body(groups: Sequence[Mapping[str, Any]], sort: str, limit: int, after: str = "0") -> dict[str, Any]:
    return {"filterGroups": groups, "properties": [], "sorts": [sort], "limit": limit, "after": after}


def _lowered(terms: Iterable[Term]) -> Iterator[Term]:
    """The terms with lower-case texts that a search can hold; of one field, one text each."""
    for term in terms:
        lowered = {
            name: tuple(dict.fromkeys(t.lower() for t in texts if t.strip() and len(t.encode()) < TEXT_BYTES))
            for name, texts in sorted(term.items())[:GROUP_FILTERS]
        }
        if len(lowered) == 1:
            yield from ({name: (text,)} for name, texts in lowered.items() for text in texts)
        elif lowered and all(lowered.values()):
            yield lowered


def _grown(query: Sequence[Group], term: Term) -> Sequence[Group]:
    if query:
        count, group = query[-1]
        if set(group) == set(term) and count < (BATCH if len(term) == 1 else NAMES_TOGETHER):
            merged = {name: tuple(dict.fromkeys((*texts, *term[name]))) for name, texts in group.items()}
            return (*query[:-1], (count + 1, merged))
    return (*query, (1, term))


def _fits(query: Sequence[Group]) -> bool:
    return (
        len(query) <= GROUPS
        and sum(len(group) for _, group in query) <= FILTERS
        and len(msgspec.json.encode(body(query))) <= BODY_BYTES
    )
