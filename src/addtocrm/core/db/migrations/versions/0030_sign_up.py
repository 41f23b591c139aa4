"""Who was sent a link may sign up with it; the keys of sessions expire as others do."""

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.execute("""
    alter table member_links drop constraint member_links_kind_check;
    alter table member_links add constraint member_links_kind_check
        check (kind in ('setup', 'invite', 'reset', 'sign_in', 'sign_up'));
    drop index keys_of_sessions;
    update keys set expires_at = created_at + interval '1 hour' where session_id is not null and expires_at is null;
    """)
