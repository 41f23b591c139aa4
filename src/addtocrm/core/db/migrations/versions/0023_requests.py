"""What each key asked for is kept for a while; keys may expire, and it is known when they were used last."""

from alembic import op

revision = "0023"
down_revision = "0022"

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
create trigger notify_account after insert or update of scopes, rate_per_minute, rate_per_hour, revoked_at, expires_at
    on keys for each row execute function notify_account('account_id');
"""

BY_REQUEST = """
create index on events (request_id, inserted) where request_id is not null;
create index on ledger (request_id) where request_id is not null;
create index on jobs ((caller ->> 'request_id'));
"""


def upgrade() -> None:
    op.execute(REQUESTS)
    op.execute(KEYS)
    op.execute(BY_REQUEST)
