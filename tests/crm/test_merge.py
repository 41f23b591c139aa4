"""The merge rules, as a table and as properties: what is written over what a record has."""

import asyncio
from contextlib import nullcontext
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_crm import TOKEN, MemoryCrm, Store, definition

from addtocrm.crm import finding, writer
from addtocrm.crm.contract import CUSTOM, Field
from addtocrm.crm.merge import OnConflict, is_empty
from addtocrm.crm.opening import OpenForWriting
from addtocrm.crm.piece import Piece
from addtocrm.crm.values import of_custom

JANE = {"m_full_name": "Jane Doe", "m_first_name": "Jane", "m_last_name": "Doe"}
FIELDS: dict[str, Any] = {"a": "text", "b": "text", "c": "number", "d": "boolean", "e": "list", "f": "list"}


def merged(there: dict[str, Any], sent: dict[str, Any], way: OnConflict) -> tuple[Piece, dict[str, Any]]:
    """What becomes of a contact that has `there` in its own fields of the CRM, when `sent` is sent: the piece, and
    what the contact has then."""
    store = Store()
    store.fields["contact"] |= {
        name: Field(name=name, label=name, type=type, custom=True) for name, type in FIELDS.items()
    }
    store.records["contact"]["1"] = {**JANE, **there}

    async def write() -> Piece:
        piece = Piece(kind="contact", values={"full_name": "Jane Doe", **of_custom(sent)}, on_conflict=way)
        crm = opened(store)
        await finding.find(crm, [piece], dry_run=False)
        await writer.write(crm, [piece], dry_run=False)
        assert piece.failure is None and piece.id == "1"
        return piece

    piece = asyncio.run(write())
    has = store.records["contact"]["1"]
    return piece, {name: has[name] for name in FIELDS if name in has}


async def nothing() -> None: ...


def opened(store: Store) -> OpenForWriting:
    async def hold(numbers: Any) -> None: ...

    async def forgotten(people: Any) -> list[int]:
        return []

    return OpenForWriting(
        id="ccn_1",
        account="1",
        definition=definition(store),
        connector=Quick(store, TOKEN),
        options={},
        reads={"contact": set(), "company": set()},
        own={},
        seen={"contact": (definition(store).mapping["contact"], store.fields["contact"])},
        told=[],
        hold=hold,
        briefly=lambda _: nullcontext(),
        check=lambda: None,
        forgotten=forgotten,
        flush=nothing,
        pool=None,
    )


class Quick(MemoryCrm):
    async def _call(self, name: str) -> Store:
        return self._store


def of_ours(names: list[str]) -> set[str]:
    """The CRM's names of its own fields."""
    assert len(set(names)) == len(names)
    return {name.removeprefix(CUSTOM) for name in names}


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
FIELD_OF: dict[type, str] = {str: "a", int: "c", bool: "d", list: "e", type(None): "a"}


@pytest.mark.parametrize(("there", "sent", "on_conflict", "what"), TABLE)
def test_table(there: Any, sent: Any, on_conflict: OnConflict, what: str) -> None:
    name = FIELD_OF[type(there if sent is None else sent)]
    piece, has = merged({name: there} if there is not None else {}, {name: sent}, on_conflict)
    assert of_ours(piece.fields) == ({name} if what == "written" else set())
    assert of_ours(piece.kept) == ({name} if what == "kept" else set())
    assert piece.sent == ({name: sent} if what == "written" else {})
    assert has.get(name) == (sent if what == "written" else there)


TEXTS = st.text("aBü ", max_size=3)
LISTS = st.lists(st.text("aB", min_size=1, max_size=2), max_size=2)
VALUES: dict[str, Any] = {"text": TEXTS, "number": st.integers(0, 3), "boolean": st.booleans(), "list": LISTS}
RECORDS = st.fixed_dictionaries({}, optional={name: st.none() | VALUES[type] for name, type in FIELDS.items()})
WAYS = st.sampled_from(["fill_empty", "overwrite", "skip"])


def had(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if value is not None}


def says(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


@given(RECORDS, RECORDS)
def test_fill_empty_changes_no_field_that_says_something(there: dict[str, Any], sent: dict[str, Any]) -> None:
    piece, has = merged(had(there), sent, "fill_empty")
    assert all(is_empty(there.get(name)) for name in piece.sent)
    assert all(has[name] == value for name, value in there.items() if not is_empty(value))


@given(RECORDS, RECORDS)
def test_skip_writes_nothing(there: dict[str, Any], sent: dict[str, Any]) -> None:
    piece, has = merged(had(there), sent, "skip")
    assert (piece.sent, piece.fields, piece.action) == ({}, [], "skipped")
    assert has == had(there)


@given(RECORDS, RECORDS, WAYS)
def test_nothing_is_ever_emptied(there: dict[str, Any], sent: dict[str, Any], way: OnConflict) -> None:
    piece, has = merged(had(there), sent, way)
    assert not any(is_empty(value) for value in piece.sent.values())
    assert not any(is_empty(has.get(name)) for name, value in there.items() if not is_empty(value))


@given(RECORDS, RECORDS, WAYS)
def test_every_field_that_differs_is_told(there: dict[str, Any], sent: dict[str, Any], way: OnConflict) -> None:
    piece, _ = merged(had(there), sent, way)
    written, kept = of_ours(piece.fields), of_ours(piece.kept)
    differ = {name for name, value in sent.items() if not is_empty(value) and says(there.get(name)) != says(value)}
    assert written | kept == differ
    assert not written & kept


@given(RECORDS, RECORDS, WAYS)
def test_the_same_again_writes_nothing(there: dict[str, Any], sent: dict[str, Any], way: OnConflict) -> None:
    _, after = merged(had(there), sent, way)
    again, left = merged(after, sent, way)
    assert (again.sent, left) == ({}, after)
    assert again.action in ("unchanged", "skipped")


def test_what_somebody_else_wrote_meanwhile_is_not_overwritten() -> None:
    store = Store()
    store.records["contact"]["1"] = dict(JANE)

    class Edited(Quick):
        async def update(self, kind: Any, updates: Any) -> Any:
            store.records["contact"]["1"].setdefault("tier", "silver")
            return await super().update(kind, updates)

    async def write() -> Piece:
        values = {"full_name": "Jane Doe", f"{CUSTOM}tier": "gold", f"{CUSTOM}score": 7}
        piece = Piece(kind="contact", values=values)
        crm = msgspec.structs.replace(opened(store), connector=Edited(store, TOKEN))
        await finding.find(crm, [piece], dry_run=False)
        await writer.write(crm, [piece], dry_run=False)
        return piece

    piece = asyncio.run(write())
    assert (of_ours(piece.fields), of_ours(piece.kept)) == ({"score"}, {"tier"})
    assert store.records["contact"]["1"] == {**JANE, "tier": "silver", "score": 7}
