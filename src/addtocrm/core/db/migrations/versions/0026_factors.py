"""A second step of signing in: authenticator apps, passkeys, recovery codes; who has left an account keeps a name."""

from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.execute("""
    create table authenticator_apps (
        member_id text collate "C" primary key references members on delete cascade,
        secret bytea not null,
        last_step bigint not null default 0,
        confirmed_at timestamptz
    );
    comment on column authenticator_apps.secret is 'sealed with secret.key';
    comment on column authenticator_apps.last_step is 'the time step of the last code that was taken: none before is';

    create table recovery_codes (
        member_id text collate "C" not null references members on delete cascade,
        hash bytea not null,
        primary key (member_id, hash)
    );

    create table passkeys (
        id text collate "C" primary key,
        member_id text collate "C" not null references members on delete cascade,
        name text not null,
        credential bytea not null unique,
        public_key bytea not null,
        sign_count bigint not null,
        created_at timestamptz not null default now(),
        used_at timestamptz
    );
    create index on passkeys (member_id);

    create table passkey_challenges (
        holder bytea primary key,
        challenge bytea not null,
        expires_at timestamptz not null
    );
    create index on passkey_challenges (expires_at);
    comment on table passkey_challenges is 'what a browser was asked to sign; holder is the hash of the session asked';

    create table half_sessions (
        hash bytea primary key,
        member_id text collate "C" not null references members on delete cascade,
        expires_at timestamptz not null
    );
    create index on half_sessions (member_id);
    create index on half_sessions (expires_at);
    comment on table half_sessions is 'who gave their password, and has the second step before them';

    alter table members add shortcuts boolean not null default true;
    comment on column members.shortcuts is 'whether single keys lead to pages';

    create table former_members (
        id text collate "C" primary key,
        account_id text collate "C" not null references accounts,
        email text not null
    );
    comment on table former_members is 'the names of who was a member, for what tells of them';

    create index audit_failures on audit (at) where action = 'sign_in.failed';
    """)
