"""Several connections of an account, one of them active; links to what was written; authorizations under way."""

from alembic import op

revision = "0017"
down_revision = "0016"

CONNECTIONS = """
alter table crm_connections
    add column id text collate "C",
    add column active boolean not null default true,
    add column api_url text,
    add column auth_url text,
    add column page_url text,
    add column options jsonb not null default '{}',
    add column mapping jsonb not null default '{}';
update crm_connections set id = 'ccn_' || replace(gen_random_uuid()::text, '-', '');
alter table crm_connections drop constraint crm_connections_pkey, alter column id set not null, add primary key (id);
create unique index on crm_connections (account_id) where active;
create unique index on crm_connections (account_id, crm, crm_account_id);
comment on column crm_connections.api_url is 'where the CRM said that its API is, null for the usual address';
comment on column crm_connections.auth_url is 'where it said that its token endpoint is, null for the usual address';
comment on column crm_connections.mapping is 'the account''s own rules by kind; another kind has the usual ones';
"""

LINKS = """
create table crm_links (
    connection_id text collate "C" not null references crm_connections on delete cascade,
    kind text not null,
    identity bytea not null,
    name text not null,
    record_id text,
    record_kind text,
    person bytea not null,
    at timestamptz not null default clock_timestamp(),
    primary key (connection_id, kind, identity)
);
create index on crm_links (identity);
create index on crm_links (connection_id, person);
create index on crm_links (at) where record_id is null;
create index on crm_links (connection_id, record_id);
comment on column crm_links.identity is 'a digest of what a record was found or made by: `name` says what that is';
comment on column crm_links.person is 'an identity that all rows of one person or company have in common';
comment on column crm_links.record_id is 'null while it is not known whether the CRM has made the record';
"""

LEASES = """
create function leases_take(names text[], the_owner int, ttl float8) returns table (fence bigint, wait float8)
language plpgsql as $$
declare
    the_name text;
begin
    foreach the_name in array names loop
        select t.fence, t.wait into fence, wait from lease_take(the_name, the_owner, ttl) t;
        return next;
        exit when fence is null;
    end loop;
end $$;
comment on function leases_take is 'what lease_take says of each in turn, until one is somebody else''s';

create function leases_free(names text[], the_owner int) returns void language sql as $$
    select lease_free(name, the_owner) from unnest(names) name;
$$;
"""

AUTHORIZATIONS = """
create table crm_authorizations (
    state bytea primary key,
    account_id text collate "C" not null references accounts,
    crm text not null,
    actor text not null,
    request_id text,
    options jsonb not null,
    verifier bytea,
    began_at timestamptz not null default clock_timestamp(),
    used boolean not null default false,
    outcome text
);
create index on crm_authorizations (began_at);
comment on column crm_authorizations.state is 'SHA-256 of the state parameter';
comment on column crm_authorizations.verifier is 'PKCE: sealed by addtocrm.core.secrets';
comment on column crm_authorizations.outcome is 'null until it ended; empty if it is connected, else what went wrong';
"""


def upgrade() -> None:
    op.execute(CONNECTIONS)
    op.execute(LINKS)
    op.execute(LEASES)
    op.execute(AUTHORIZATIONS)
