"""Batches: items in an order of their own, done once for all that are the same, and what each of them cost."""

from alembic import op

revision = "0005"
down_revision = "0004"

ITEMS = """
alter table job_items
    add column same_as int,
    add column turn int not null default 0,
    add column attempts int not null default 0,
    add column cached boolean,
    add column credits_deducted int;
comment on column job_items.same_as is 'position of the earlier item that is the same and whose end is this one''s too';
comment on column job_items.turn is 'place in the order of work, which is not that of the results';
drop index job_items_job_id_not_before_position_idx;
create index on job_items (job_id, not_before, turn) where status = 'pending' and same_as is null;
create index on job_items (job_id, same_as) where same_as is not null;
"""


def upgrade() -> None:
    op.execute(ITEMS)
