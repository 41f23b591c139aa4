"""Who of the people table changed, in one order, for indexes that follow it."""

from alembic import op

revision = "0018"
down_revision = "0017"

CHANGES = """
create table people_changes (
    number bigint generated always as identity primary key,
    ids text[] not null,
    changed_at timestamptz not null default now()
);
comment on table people_changes is 'people that were added, changed or deleted; a later commit has a higher number';

create table people_feed (
    single boolean primary key default true check (single),
    generation uuid not null default gen_random_uuid(),
    dropped bigint not null default 0
);
comment on table people_feed is 'one row: which database the numbers are of (a restored one is another), and up to '
    'which number changes were dropped';
insert into people_feed default values;

create function people_changed() returns trigger language plpgsql as $$
begin
    if exists (select from changed) then
        perform pg_advisory_xact_lock(1096041289, 0);
        insert into people_changes (ids)
        select array_agg(id) from (select id, (row_number() over () - 1) / 10000 as part from changed) as parts
        group by part order by part;
    end if;
    return null;
end $$;
comment on function people_changed is 'numbers are given under a lock that is held until the commit';
create trigger note_added after insert on people referencing new table as changed
    for each statement execute function people_changed();
create trigger note_changed after update on people referencing new table as changed
    for each statement execute function people_changed();
create trigger note_deleted after delete on people referencing old table as changed
    for each statement execute function people_changed();

create function people_emptied() returns trigger language plpgsql as $$
begin
    update people_feed set generation = gen_random_uuid();
    return null;
end $$;
create trigger note_emptied after truncate on people for each statement execute function people_emptied();
"""


def upgrade() -> None:
    op.execute(CHANGES)
