"""Connections are found by the account of the CRM, into which several of our accounts may write."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.execute("create index on crm_connections (crm, crm_account_id)")
