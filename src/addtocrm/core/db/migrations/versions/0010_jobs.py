"""Jobs carried by the processes that live, with their counters on the row and the scope that made them."""

from alembic import op

revision = "0010"
down_revision = "0009"

# Those that no process carries are taken by the next one, so a job that was queued or running at the upgrade goes on.
JOBS = """
alter table jobs
    add column scope text not null default 'enrich',
    add column instance int,
    add column due_at timestamptz not null default now(),
    add column cancelled_by json,
    add column succeeded int not null default 0,
    add column failed int not null default 0,
    add column pending int not null default 0,
    add column credits_deducted int not null default 0;
comment on column jobs.scope is 'what a key needs to read or cancel it';
comment on column jobs.instance is 'the process that carries it; null: none';
comment on column jobs.due_at is 'when it is to be taken up next';
comment on column jobs.cancelled_by is 'who asked to cancel it; it is cancelled once nothing of it is under way';

update jobs set scope = 'lists' where kind = 'lists.push';
alter table jobs alter column scope drop default;

update jobs j set
    succeeded = counted.succeeded, failed = counted.failed,
    pending = counted.pending, credits_deducted = counted.credits_deducted
from (select job_id,
             count(*) filter (where status = 'succeeded') as succeeded,
             count(*) filter (where status = 'failed') as failed,
             count(*) filter (where status = 'pending') as pending,
             coalesce(sum(credits_deducted), 0) as credits_deducted
      from job_items group by job_id) counted
where counted.job_id = j.id;

create index on jobs (due_at) where status in ('queued', 'running');
create index on jobs (finished_at) where finished_at is not null;
"""

NO_DBOS = "drop schema if exists dbos cascade"


def upgrade() -> None:
    op.execute(JOBS)
    op.execute(NO_DBOS)
