"""Who is spoken of in the answers that are kept for repeats, so that those of a person are found by an index. Who
publishes events waits for nobody."""

import json
from collections.abc import Iterator
from typing import Any

from alembic import op
from sqlalchemy import text

from addtocrm.core.individuals import Individual, digests, spoken_of

revision = "0032"
down_revision = "0031"

COLUMN = """
alter table idempotency add column subjects bytea[];
comment on column idempotency.subjects is
    'whom the answer, or the outcome, speaks of: the SHA-256 of each of their identifiers';
"""
INDEX = "create index on idempotency using gin (subjects) with (fastupdate = off)"

# As before, but the clock is left to whoever holds it. Times are still given under its lock alone, so what is in the
# feed is in order and whole up to its last time, whether or not its reader published.
PUBLISH = """
create or replace function events_publish(anew boolean) returns int language plpgsql set enable_seqscan = off as $$
declare
    published pg_snapshot := (select seen from events_clock where not anew order by last desc limit 1);
    since xid8 := coalesce(pg_snapshot_xmax(published), '0');
    late xid8[] := array(select pg_snapshot_xip(published));
    before timestamptz;
    moved int;
begin
    if not exists (select from events_outbox where xid >= since)
        and not exists (select from events_outbox where xid = any(late)) then
        return 0;
    end if;
    select last into before from events_clock order by last desc limit 1 for update skip locked;
    if not found then
        return null;
    end if;
    with begun_after as (delete from events_outbox where xid >= since returning *),
    begun_before as (delete from events_outbox where xid = any(late) returning *),
    ticked as (
        update events_clock
        set last = greatest(clock_timestamp(), last + interval '1 microsecond'), seen = pg_current_snapshot()
        where last = before
        returning last
    ),
    published as (
        insert into events (account_id, inserted, id, type, actor, request_id, data, subjects)
        select account_id, ticked.last, id, type, actor, request_id, data, subjects
        from (table begun_after union all table begun_before), ticked
        returning account_id
    )
    select coalesce(sum(count), 0) into moved from (
        select count(*), pg_notify('addtocrm', 'events:' || account_id) from published group by account_id
    ) as told;
    return moved;
end $$;
comment on function events_publish is 'moves what is committed in the outbox to the feed and gives how many, null '
    'where another holds the feed; anew: does not rely on what was published before';
"""

CHUNK = 2000
STREAMED: Any = {"execution_options": {"stream_results": True}}


def upgrade() -> None:
    op.execute(COLUMN)
    _fill()
    op.execute(INDEX)
    op.execute(PUBLISH)


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
