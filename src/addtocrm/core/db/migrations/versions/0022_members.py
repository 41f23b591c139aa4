"""People sign in to the dashboard: members of accounts, their sessions, one-time links, and what they did."""

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.execute("""
    create table members (
        id text collate "C" primary key,
        account_id text collate "C" not null references accounts,
        email text not null unique check (email = lower(email)),
        role text not null check (role in ('owner', 'admin', 'member')),
        password text,
        operator boolean not null default false,
        created_at timestamptz not null default now()
    );
    create index on members (account_id);
    comment on table members is 'people who sign in to the dashboard';
    comment on column members.operator is 'runs the deployment: sees and changes all accounts';

    create table sessions (
        hash bytea primary key,
        id text collate "C" not null unique,
        member_id text collate "C" not null references members on delete cascade,
        address text not null,
        agent text not null,
        created_at timestamptz not null default now(),
        seen_at timestamptz not null default now(),
        confirmed_at timestamptz not null default now()
    );
    create index on sessions (member_id);
    comment on column sessions.confirmed_at is 'when the password or a passkey was last asked for';

    create table member_links (
        hash bytea primary key,
        id text collate "C" not null unique,
        kind text not null check (kind in ('setup', 'invite', 'reset', 'sign_in')),
        account_id text collate "C" references accounts,
        member_id text collate "C" references members on delete cascade,
        email text,
        role text check (role in ('owner', 'admin', 'member')),
        created_at timestamptz not null default now(),
        expires_at timestamptz not null
    );
    create index on member_links (account_id) where kind = 'invite';
    create index on member_links (expires_at);
    comment on table member_links is 'links that let somebody in once';

    create table audit (
        id text collate "C" primary key,
        account_id text collate "C" not null,
        at timestamptz not null default now(),
        actor text not null,
        action text not null,
        detail json not null,
        address text not null
    );
    create index on audit (account_id, id);
    comment on table audit is 'sensitive actions of people: who signed in, who changed members, keys and connections';

    insert into members (id, account_id, email, role, password, created_at)
    select new_id('usr'), id, email, 'owner', password, created_at from accounts order by id;
    alter table accounts drop column password;

    create index ledger_lines on ledger (account_id, id);
    """)
