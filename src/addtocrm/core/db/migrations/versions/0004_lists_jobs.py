"""Lists with their members, and jobs with their items."""

from alembic import op

revision = "0004"
down_revision = "0003"

LISTS = """
create table lists (
    id text collate "C" primary key,
    account_id text collate "C" not null references accounts,
    name text not null,
    description text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index on lists (account_id, id);

create table list_members (
    id text collate "C" primary key,
    list_id text collate "C" not null references lists on delete cascade,
    identity text collate "C" not null,
    email text collate "C",
    person json not null,
    added_at timestamptz not null default now(),
    unique (list_id, identity)
);
create index on list_members (list_id, id);
create index on list_members (list_id, email) where email is not null;
"""

JOBS = """
create table jobs (
    id text collate "C" primary key,
    account_id text collate "C" not null,
    kind text not null,
    status text not null default 'queued'
        check (status in ('queued', 'running', 'completed', 'failed', 'cancelled')),
    caller json not null,
    options json not null,
    total int not null,
    error text,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz
);
create index on jobs (account_id, id);

create table job_items (
    job_id text collate "C" not null references jobs on delete cascade,
    position int not null,
    input json not null,
    status text not null default 'pending' check (status in ('pending', 'succeeded', 'failed', 'cancelled')),
    result json,
    error json,
    not_before timestamptz not null default now(),
    primary key (job_id, position)
);
create index on job_items (job_id, not_before, position) where status = 'pending';
"""


def upgrade() -> None:
    op.execute(LISTS)
    op.execute(JOBS)
