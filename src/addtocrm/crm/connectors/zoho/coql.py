"""Terms as COQL, Zoho's query language."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from functools import reduce

from addtocrm.crm.contract import Term
from addtocrm.crm.several import parts

MOST_CONDITIONS, MOST_VALUES, LONGEST_TEXT = 25, 100, 450
SECOND_EMAIL = "Secondary_Email"


def is_name(name: str) -> bool:
    """Whether a column can be named so."""
    return re.fullmatch(r"\w+(\.\w+)*", name) is not None


def select(columns: Iterable[str], module: str, where: str, limit: int, offset: int) -> str:
    """The query for the columns, besides the id, of the module's records from `offset` on, the oldest first."""
    page = f"limit {limit} offset {offset}"
    return f"select id, {', '.join(sorted(columns))} from {module} where {where} order by id asc {page}"


def one_of(name: str, texts: Iterable[str]) -> str:
    """The condition that the column has one of the texts."""
    return f"{name} in ({', '.join(map(_quoted, texts))})"


def usable(terms: Iterable[Term], columns: Set[str]) -> Iterator[Term]:
    """The terms without those on other columns; an e-mail address may be the second one as well."""
    for term in terms:
        short = {name: tuple(one for one in texts if one and len(one) <= LONGEST_TEXT) for name, texts in term.items()}
        if short and columns >= short.keys() and all(short.values()):
            yield short
            if list(short) == ["Email"] and SECOND_EMAIL in columns:
                yield {SECOND_EMAIL: short["Email"]}


def wheres(
    terms: Iterable[Mapping[str, Sequence[str]]], within: Iterable[Mapping[str, Sequence[str]]] = ()
) -> list[str]:
    """The terms, and those `within` (see `contract.Sought`), as the conditions of as few queries as may be, by which
    more than these may be found."""
    tests = [[_tests(name, texts) for name, texts in term.items()] for term in _merged(terms)]
    likes = {f"{name} like {_quoted(f'%{text}%')}" for term in within for name, texts in term.items() for text in texts}
    tests += [[[like]] for like in sorted(likes)]
    fitting = [one for one in tests if all(one) and _size(one) <= MOST_CONDITIONS]
    return [_paired(map(_whole, some), "or") for some in parts(fitting, MOST_CONDITIONS, _size)]


def _merged(terms: Iterable[Mapping[str, Sequence[str]]]) -> Iterator[Mapping[str, Collection[str]]]:
    """Those on the same fields are put together."""
    merged: dict[tuple[str, ...], list[dict[str, dict[str, None]]]] = {}
    for term in terms:
        alike = merged.setdefault(tuple(sorted(term)), [])
        if not alike or any(len({*alike[-1][name], *texts}) > MOST_VALUES for name, texts in term.items()):
            alike.append({name: {} for name in term})
        for name, texts in term.items():
            alike[-1][name].update(dict.fromkeys(texts[:MOST_VALUES]))
    return (term for alike in merged.values() for term in alike)


def _tests(name: str, texts: Collection[str]) -> list[str]:
    """The conditions of which one holds; none where nothing can be looked for."""
    plain = [text for text in texts if "\\" not in text]
    begun = dict.fromkeys(text.partition("\\")[0] for text in texts if "\\" in text)
    alike = [f"{name} like {_quoted(begin + '%')}" for begin in begun if begin]
    return [*([one_of(name, plain)] if plain else []), *alike]


def _size(tests: Sequence[Sequence[str]]) -> int:
    return sum(map(len, tests))


def _whole(tests: Iterable[Iterable[str]]) -> str:
    return _paired((_paired(some, "or") for some in tests), "and")


def _quoted(text: str) -> str:
    clean = re.sub(r"[\x00-\x1f\x7f]", " ", text)
    return "'" + clean.replace("'", "''") + "'"


def _paired(tests: Iterable[str], word: str) -> str:
    return reduce(lambda left, right: f"({left} {word} {right})", tests)
