"""Whatever a file holds: records, refused rows or one sentence."""

import gzip
import io
import random
from pathlib import Path

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from addtocrm.sources.dataset import columns, rows
from addtocrm.sources.dataset.model import RefusedError
from addtocrm.sources.dataset.readers import Source

INDEX_ROW = 2704
"""Bytes that an index of PostgreSQL holds at most (nbtree.h, BTMaxItemSize)."""

CSV = b'linkedin_url,full_name,email,skills\nin/a,"A, ""B""",a@example.com,x;y\nin/b,"two\nlines",,\n'
JSON = b'{"linkedin_url": "in/a", "emails": [{"address": "a@example.com"}]}\n{"full_name": "\\u00e9", "skills": [1]}\n'


def parquet_bytes() -> bytes:
    buffer = io.BytesIO()
    people = [
        {"linkedin_url": f"in/p{n}", "phone": 1.5 * n, "skills": ["a", None], "headline": b"x"} for n in range(50)
    ]
    parquet.write_table(arrow.Table.from_pylist(people), buffer)
    return buffer.getvalue()


SEEDS = {"csv": CSV, "jsonl": JSON, "csv.gz": gzip.compress(CSV), "parquet": parquet_bytes()}


def read(file: Path) -> None:
    """Reads the whole file as an import does, and looks at what would be stored."""
    try:
        source = Source(file, columns.PEOPLE)
        for record in source.records:
            try:
                row = rows.person(record.fields)
            except (RefusedError, RecursionError):
                continue
            for key in (row.identity, *row.keys):
                assert len((key or "").encode()) < INDEX_ROW
                assert "\0" not in (key or "")
    except RefusedError as refused:
        assert str(refused)


@pytest.mark.parametrize("form", SEEDS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.binary(max_size=400), seed=st.integers(0, 2**32))
def test_changed_files(form: str, data: bytes, seed: int, tmp_path: Path) -> None:
    """A valid file of which some bytes are others, cut or repeated; and bytes at random."""
    choose = random.Random(seed)
    changed = bytearray(SEEDS[form])
    for byte in data:
        changed[choose.randrange(len(changed))] = byte
    cut = choose.randrange(len(changed) + 1)
    file = tmp_path / f"people.{form}"
    for content in (bytes(changed), bytes(changed[:cut]), bytes(changed[:cut] + changed), data):
        file.write_bytes(content)
        read(file)


@settings(max_examples=200)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(sorted({name for names in columns.PEOPLE.values() for name in names})),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.binary(max_size=9)
                | st.dates() | st.decimals() | st.sampled_from(["linkedin.com/in/a", "a@example.com", "example.com"]),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("name"), inner),
                max_leaves=4,
            ),
        ),
        max_size=3,
    )
)  # fmt: skip
def test_any_values(people: list[dict[str, object]]) -> None:
    """Fields of whatever kind give a row or a reason."""
    for fields in people:
        for convert in (rows.person, rows.company):
            try:
                row = convert(fields)
            except RefusedError as refused:
                assert str(refused)
            else:
                assert row.identity
