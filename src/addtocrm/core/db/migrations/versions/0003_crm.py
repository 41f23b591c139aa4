"""CRM connections, and the built-in CRM: contacts, companies, notes, tasks, owners and lists."""

from alembic import op

revision = "0003"
down_revision = "0002"

CONNECTIONS = """
create table crm_connections (
    account_id text collate "C" primary key references accounts,
    crm text not null,
    name text not null,
    crm_account_id text not null,
    crm_account_name text not null,
    secret bytea,
    status text not null default 'connected' check (status in ('connected', 'token_expired')),
    connected_at timestamptz not null default clock_timestamp()
);
comment on column crm_connections.crm is 'the connector''s name, as its file''s';
comment on column crm_connections.name is 'what people call the connection';
comment on column crm_connections.secret is 'sealed by addtocrm.core.secrets';
"""

# The accounts of these tables are never deleted, so no foreign key: it would lock their row in every write.
BUILTIN = """
create table crm_owners (
    id text collate "C" primary key,
    account_id text collate "C" not null,
    email text not null,
    name text,
    is_default boolean not null default false
);
create unique index on crm_owners (account_id, lower(email));
create unique index on crm_owners (account_id) where is_default;

create table crm_companies (
    id text collate "C" primary key,
    account_id text collate "C" not null,
    name text,
    domain text,
    website text,
    linkedin_url text,
    industry text,
    size text,
    employee_count int,
    founded_year int,
    type text,
    description text,
    phone text,
    city text,
    region text,
    country text,
    technologies text[] not null default '{}',
    owner text collate "C" references crm_owners,
    custom json not null default '{}',
    name_key text collate "C" not null default '',
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp()
);
create unique index on crm_companies (account_id, domain);
create unique index on crm_companies (account_id, linkedin_url);
create index on crm_companies (account_id, name_key);
create index on crm_companies (account_id, id);

create table crm_contacts (
    id text collate "C" primary key,
    account_id text collate "C" not null,
    linkedin_url text,
    email text,
    first_name text,
    last_name text,
    full_name text,
    headline text,
    job_title text,
    seniority text,
    department text,
    phone text,
    other_emails text[] not null default '{}',
    other_phones text[] not null default '{}',
    city text,
    region text,
    country text,
    company_name text,
    company_domain text,
    skills text[] not null default '{}',
    company_id text collate "C" references crm_companies,
    owner text collate "C" references crm_owners,
    custom json not null default '{}',
    name_key text collate "C" not null default '',
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp()
);
create unique index on crm_contacts (account_id, linkedin_url);
create unique index on crm_contacts (account_id, lower(email));
create index on crm_contacts (account_id, name_key);
create index on crm_contacts (account_id, id);
create index on crm_contacts (company_id);

create table crm_notes (
    id text collate "C" primary key,
    account_id text collate "C" not null,
    contact_id text collate "C" not null references crm_contacts on delete cascade,
    text text not null,
    created_at timestamptz not null default clock_timestamp()
);
create index on crm_notes (contact_id, id);

create table crm_tasks (
    id text collate "C" primary key,
    account_id text collate "C" not null,
    contact_id text collate "C" not null references crm_contacts on delete cascade,
    title text not null,
    description text,
    due_at timestamptz,
    owner text collate "C" references crm_owners,
    created_at timestamptz not null default clock_timestamp()
);
create index on crm_tasks (contact_id, id);

create table crm_lists (
    id text collate "C" primary key,
    account_id text collate "C" not null,
    name text not null,
    created_at timestamptz not null default clock_timestamp()
);
create unique index on crm_lists (account_id, lower(name));

create table crm_list_members (
    list_id text collate "C" not null references crm_lists on delete cascade,
    contact_id text collate "C" not null references crm_contacts on delete cascade,
    added_at timestamptz not null default clock_timestamp(),
    primary key (list_id, contact_id)
);
create index on crm_list_members (contact_id);
"""


def upgrade() -> None:
    op.execute(CONNECTIONS)
    op.execute(BUILTIN)
