"""What each key asked for is kept for a while; keys may expire, and it is known when they were used last. Who
follows an account's events is told of new ones."""

from alembic import op

revision = "0029"
down_revision = "0028"

REQUESTS = """
create table requests (
    id uuid primary key,
    account_id text collate "C" not null,
    key_id text collate "C" not null,
    at timestamptz not null,
    method text not null,
    path text not null,
    status smallint not null,
    error text,
    credits int,
    cached boolean,
    ms float4 not null,
    lines json
);
create index on requests (account_id, id);
create index on requests (account_id, id) where status >= 400;
comment on table requests is 'the API requests of known keys; ids are UUIDv7, so that they sort by time';
comment on column requests.error is 'the answer''s type, where it is an error';
comment on column requests.lines is 'what was logged meanwhile, as far as the account may read it';

create table request_counts (
    account_id text collate "C" not null,
    key_id text collate "C" not null,
    day date not null,
    class smallint not null,
    requests bigint not null,
    primary key (account_id, key_id, day, class)
) with (fillfactor = 50);
comment on table request_counts is 'the requests of each key and day (UTC), by the first digit of their status';
"""

KEYS = """
alter table keys add column expires_at timestamptz;
alter table keys add column last_used_at timestamptz;
drop trigger notify_account on keys;
create trigger notify_account
    after insert or update of hash, scopes, rate_per_minute, rate_per_hour, revoked_at, expires_at on keys
    for each row execute function notify_account('account_id');
"""

BY_REQUEST = """
create index on events (request_id, inserted) where request_id is not null;
create index on ledger (request_id) where request_id is not null;
create index on jobs ((caller ->> 'request_id'));
"""

# As before, and says whose feed has something new.
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
    select last into before from events_clock order by last desc limit 1 for update;
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
"""


def upgrade() -> None:
    op.execute(REQUESTS)
    op.execute(KEYS)
    op.execute(BY_REQUEST)
    op.execute(PUBLISH)
