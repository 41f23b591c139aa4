"""The operator suspends accounts, and finds them; what they changed is read in its order."""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.execute("""
    alter table accounts add column suspended_at timestamptz;
    comment on column accounts.suspended_at is 'since when its keys and its dashboard change nothing; null: they do';
    drop trigger notify_account on accounts;
    create trigger notify_account after update of plan, custom_credits, suspended_at on accounts
        for each row execute function notify_account('id');
    create index on accounts (email collate "C");
    create index on audit (id) where action like 'operator.%';
    """)
