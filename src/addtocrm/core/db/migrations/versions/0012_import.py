"""Imports count the rows that said nothing new."""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("alter table imports add column unchanged bigint not null default 0")
