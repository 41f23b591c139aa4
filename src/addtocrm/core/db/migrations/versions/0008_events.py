"""The feed's costs do not grow: publishing reads only what it has not seen, types and ages have their index."""

from alembic import op

revision = "0008"
down_revision = "0007"

OUTBOX = """
alter table events_outbox add column xid xid8 not null default pg_current_xact_id();
create index on events_outbox (xid);
comment on column events_outbox.xid is 'the transaction that wrote it';
alter table events_outbox add column subjects bytea[];
alter table events add column subjects bytea[];
comment on column events.subjects is 'whom it is about: the SHA-256 of each of their identifiers';

alter table events_clock add column seen pg_snapshot;
create index on events_clock (last);
comment on column events_clock.seen is 'all that is visible in this snapshot is published; null: unknown';
"""

FEED = """
create index on events (account_id, type, inserted, id);
create index on events (inserted);
"""

# While a session holds an old snapshot, what was deleted from the outbox stays in its pages, and so does each former
# version of the clock. So only transactions that were not visible at the last publishing are looked at, and the last
# version; a sequential scan, which the planner likes for small tables, would read all of the dead.
PUBLISH = """
create function events_publish(anew boolean) returns int language plpgsql set enable_seqscan = off as $$
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
    select last into before from events_clock order by last desc limit 1 for update;
    with begun_after as (delete from events_outbox where xid >= since returning *),
    begun_before as (delete from events_outbox where xid = any(late) returning *),
    ticked as (
        update events_clock
        set last = greatest(clock_timestamp(), last + interval '1 microsecond'), seen = pg_current_snapshot()
        where last = before
        returning last
    )
    insert into events (account_id, inserted, id, type, actor, request_id, data, subjects)
    select account_id, ticked.last, id, type, actor, request_id, data, subjects
    from (table begun_after union all table begun_before), ticked;
    get diagnostics moved = row_count;
    return moved;
end $$;
comment on function events_publish is 'moves what is committed in the outbox to the feed and gives how many; anew: '
    'does not rely on what was published before';
"""


def upgrade() -> None:
    op.execute(OUTBOX)
    op.execute(FEED)
    op.execute(PUBLISH)
