"""Terms as queries in SOQL."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from addtocrm.crm.connectors.salesforce.api import REFERENCE
from addtocrm.crm.contract import Term
from addtocrm.crm.several import parts

ESCAPES = {"\\": r"\\", "'": r"\'", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\b": r"\b", "\f": r"\f"}
NAME = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)?", re.ASCII)
"""What may stand in a query as a field's name."""
LONGEST = 40_000
"""So many characters of conditions in a query, where 100,000 may be: Salesforce adds to them before it counts."""
LONGEST_TEXT = 4_000
TEXTS = 100
ROWS = 2000
OLDEST = " ORDER BY CreatedDate, Id"


class Query(NamedTuple):
    """Rows of the object `name` for which one of `terms` holds, if there are any, and `also` does. `within`: the texts
    of the terms are any part of what a field has."""

    name: str
    fields: tuple[str, ...]
    terms: Sequence[Term] = ()
    also: str = ""
    end: str = ""
    within: bool = False

    def __str__(self) -> str:
        either = f"({' OR '.join(map(_part if self.within else condition, self.terms))})" if self.terms else ""
        where = " AND ".join(part for part in (self.also, either) if part)
        return f"SELECT {', '.join(self.fields)} FROM {self.name}{where and f' WHERE {where}'}{self.end}"

    def halves(self) -> list["Query"]:
        """Two queries for what this one asks; none where that is one thing."""
        terms = self.terms
        if len(terms) == 1 and len(terms[0]) == 1:
            [(field, texts)] = terms[0].items()
            terms = [{field: (text,)} for text in texts]
        middle = len(terms) // 2
        return [self._replace(terms=some) for some in (terms[:middle], terms[middle:])] if middle else []


def quoted(value: str) -> str:
    """The text as SOQL has it, also within a composite request."""
    escaped = "".join(ESCAPES.get(char, char) for char in value)
    return "'" + escaped.replace(REFERENCE, r"\u0040{") + "'"


def condition(term: Term) -> str:
    """What holds where the term does."""
    return "(" + " AND ".join(f"{field} IN ({', '.join(map(quoted, texts))})" for field, texts in term.items()) + ")"


def _part(term: Term) -> str:
    """What holds where a text of the term is part of its one field."""
    likes = [f"{field} LIKE {_pattern(text)}" for field, texts in term.items() for text in texts]
    return f"({' OR '.join(likes)})"


def _pattern(text: str) -> str:
    plain = quoted(text)[1:-1].replace("%", r"\%").replace("_", r"\_")
    return f"'%{plain}%'"


def searches(
    name: str, fields: tuple[str, ...], terms: Iterable[Term], also: str = "", within: Iterable[Term] = ()
) -> list[Query]:
    """Queries for the terms, and for those `within` (see `contract.Sought`), the oldest rows first. Names are asked for
    apart from keys: they may find very many."""
    keys, names = _joined(terms)
    found = [*parts(keys, LONGEST, _size), *parts(names, LONGEST, _size)]
    queries = [Query(name, fields, part, also, f"{OLDEST} LIMIT {ROWS}") for part in found]
    likes = parts(_joined(within)[0], LONGEST, _size)
    return queries + [Query(name, fields, part, also, f"{OLDEST} LIMIT {ROWS}", within=True) for part in likes]


def _size(term: Term) -> int:
    return len(condition(term))


def _joined(terms: Iterable[Term]) -> tuple[list[Term], list[Term]]:
    """The terms on one field, those on the same together, and those on several."""
    alone: dict[str, dict[str, None]] = {}
    several: list[Term] = []
    for term in terms:
        held = {field: tuple(one for one in texts if one and len(one) <= LONGEST_TEXT) for field, texts in term.items()}
        if all(held.values()) and len(held) > 1 and held not in several:
            several.append(held)
        elif len(held) == 1:
            for field, texts in held.items():
                alone.setdefault(field, {}).update(dict.fromkeys(texts))
    return [{field: tuple(part)} for field, texts in alone.items() for part in parts(list(texts), TEXTS)], several
