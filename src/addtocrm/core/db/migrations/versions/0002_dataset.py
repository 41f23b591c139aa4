"""The operator's own data: people, companies, and how far each import has come."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = """
create table people (
    id text collate "C" primary key,
    identity text collate "C" not null unique,
    email text collate "C",
    name_key text collate "C",
    company_domain text collate "C",
    company_key text collate "C",
    data jsonb not null,
    observed_at timestamptz not null default now()
);
comment on column people.identity is 'in:<slug>, else em:<e-mail>, else nc:<name>|<company>';
comment on column people.data is 'the known fields of the contract''s Person';
create index on people (email) where email is not null;
create index on people (name_key) where name_key is not null;

create table companies (
    id text collate "C" primary key,
    identity text collate "C" not null unique,
    domain text collate "C",
    linkedin_url text collate "C",
    name_key text collate "C",
    data jsonb not null,
    observed_at timestamptz not null default now()
);
comment on column companies.identity is 'do:<domain>, else in:<kind/slug>, else na:<name>';
create index on companies (linkedin_url) where linkedin_url is not null;
create index on companies (name_key);
create index on companies (domain) where domain is not null;

create table imports (
    fingerprint text primary key,
    kind text not null,
    file text not null,
    rows bigint not null default 0,
    created bigint not null default 0,
    updated bigint not null default 0,
    refused bigint not null default 0,
    rejected_bytes bigint not null default 0,
    started_at timestamptz not null default now(),
    finished_at timestamptz
);
"""


def upgrade() -> None:
    op.execute(TABLES)
