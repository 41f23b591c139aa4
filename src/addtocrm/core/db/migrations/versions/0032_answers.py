"""Who is spoken of in the answers that are kept for repeats, so that those of a person are found by an index."""

import json
from collections.abc import Iterator
from typing import Any

from alembic import op
from sqlalchemy import text

from addtocrm.core.individuals import Individual, digests, spoken_of

revision = "0032"
down_revision = "0030"

COLUMN = """
alter table idempotency add column subjects bytea[];
comment on column idempotency.subjects is
    'whom the answer, or the outcome, speaks of: the SHA-256 of each of their identifiers';
"""
INDEX = "create index on idempotency using gin (subjects) with (fastupdate = off)"

CHUNK = 2000
STREAMED: Any = {"execution_options": {"stream_results": True}}


def upgrade() -> None:
    op.execute(COLUMN)
    _fill()
    op.execute(INDEX)


def _fill() -> None:
    """Sets the subjects of the answers of the last day, which are repeated until they are a day old."""
    connection = op.get_bind()
    rows = connection.execute(
        text(
            """select ctid::text as ctid, body, outcome::text as outcome from idempotency
               where body is not null or outcome is not null"""
        ),
        **STREAMED,
    )
    for some in rows.partitions(CHUNK):
        changes = [{"ctid": row.ctid, "subjects": digests(_people(row.body or row.outcome))} for row in some]
        if changes := [one for one in changes if one["subjects"]]:
            connection.execute(
                text("update idempotency set subjects = :subjects where ctid = cast(:ctid as tid)"), changes
            )


def _people(told: bytes | str) -> Iterator[Individual]:
    try:
        yield from spoken_of(json.loads(told))
    except ValueError:  # It is no JSON.
        return
