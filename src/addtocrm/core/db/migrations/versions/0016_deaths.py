"""Items of jobs know how many processes ended while they were under way."""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute("alter table job_items add column deaths smallint not null default 0")
