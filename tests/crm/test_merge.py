"""The merge rules, as a table and as properties."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addtocrm.crm.merge import OnConflict, is_empty, merge

TABLE: list[tuple[Any, Any, OnConflict, str]] = [
    # there, sent, on_conflict, what happens: written, kept, or "" (nothing to say)
    (None, "CEO", "fill_empty", "written"),
    ("", "CEO", "fill_empty", "written"),
    ("  ", "CEO", "fill_empty", "written"),
    ([], ["a"], "fill_empty", "written"),
    ("CTO", "CEO", "fill_empty", "kept"),
    ("CEO", "CEO", "fill_empty", ""),
    (0, 5, "fill_empty", "kept"),
    (False, True, "fill_empty", "kept"),
    (["b"], ["a"], "fill_empty", "kept"),
    ("CTO", "CEO", "overwrite", "written"),
    (None, "CEO", "overwrite", "written"),
    ("CEO", "CEO", "overwrite", ""),
    ("CTO", None, "overwrite", ""),
    ("CTO", "", "overwrite", ""),
    (["b"], [], "overwrite", ""),
    (5, 0, "overwrite", "written"),
    (None, "CEO", "skip", "kept"),
    ("CTO", "CEO", "skip", "kept"),
    ("CEO", "CEO", "skip", ""),
    ("CTO", None, "skip", ""),
]


@pytest.mark.parametrize(("there", "sent", "on_conflict", "what"), TABLE)
def test_table(there: Any, sent: Any, on_conflict: OnConflict, what: str) -> None:
    result = merge({"title": there}, {"title": sent}, on_conflict)
    assert result.write == ({"title": sent} if what == "written" else {})
    assert result.kept == (["title"] if what == "kept" else [])


VALUES = st.none() | st.text(max_size=3) | st.integers(0, 3) | st.booleans() | st.lists(st.text(max_size=2), max_size=2)
RECORDS = st.dictionaries(st.sampled_from("abcdef"), VALUES)
WAYS = st.sampled_from(["fill_empty", "overwrite", "skip"])


@given(RECORDS, RECORDS)
def test_fill_empty_changes_no_field_that_says_something(there: dict[str, Any], sent: dict[str, Any]) -> None:
    assert all(is_empty(there.get(name)) for name in merge(there, sent, "fill_empty").write)


@given(RECORDS, RECORDS)
def test_skip_writes_nothing(there: dict[str, Any], sent: dict[str, Any]) -> None:
    assert merge(there, sent, "skip").write == {}


@given(RECORDS, RECORDS, WAYS)
def test_nothing_is_ever_emptied(there: dict[str, Any], sent: dict[str, Any], way: OnConflict) -> None:
    assert not any(is_empty(value) for value in merge(there, sent, way).write.values())


@given(RECORDS, RECORDS, WAYS)
def test_every_field_that_differs_is_told(there: dict[str, Any], sent: dict[str, Any], way: OnConflict) -> None:
    result = merge(there, sent, way)
    differ = {name for name, value in sent.items() if not is_empty(value) and there.get(name) != value}
    assert set(result.write) | set(result.kept) == differ
    assert not set(result.write) & set(result.kept)


@given(RECORDS, RECORDS, WAYS)
def test_the_same_again_writes_nothing(there: dict[str, Any], sent: dict[str, Any], way: OnConflict) -> None:
    after = {**there, **merge(there, sent, way).write}
    assert merge(after, sent, way).write == {}
