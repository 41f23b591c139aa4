"""A process that loses its connection for a moment is not dead: what it has at hand stays its own."""

from alembic import op

revision = "0033"
down_revision = "0032"

# Who looks holds the instance's lock until its transaction ends, so there is never more than one who notes it.
DEATHS = """
create unlogged table lost_instances (
    instance int primary key,
    since timestamptz not null
);
comment on table lost_instances is 'processes that looked dead, and since when; one that is back takes itself out';

alter function instance_is_dead(int) rename to instance_looks_dead;
comment on function instance_looks_dead is 'nobody keeps the advisory lock of a living process at this moment';

create function instance_is_dead(the_instance int) returns boolean language plpgsql as $$
begin
    if not instance_looks_dead(the_instance) then
        return false;
    end if;
    insert into lost_instances values (the_instance, clock_timestamp()) on conflict do nothing;
    return exists (select from lost_instances
                   where instance = the_instance and since < clock_timestamp() - interval '3 seconds');
end $$;
comment on function instance_is_dead is 'it looked dead some seconds ago, looks so now, and was not back between';
"""

# Who starts cannot wait for long: one that is there after all joins again by itself.
JOIN = """
create or replace function rate_join(the_instance int) returns int language plpgsql as $$
begin
    perform pg_advisory_xact_lock(1096041296, 0);
    delete from rate_servers where instance <> the_instance and instance_looks_dead(instance);
    insert into rate_servers values (the_instance, true) on conflict (instance) do update set shares = true;
    return (select count(*) from rate_servers where not shares);
end $$;
"""


def upgrade() -> None:
    op.execute(DEATHS)
    op.execute(JOIN)
