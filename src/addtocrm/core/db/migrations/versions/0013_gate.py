"""Rate limits counted in the database, where several servers share it."""

from alembic import op

revision = "0013"
down_revision = "0012"

TABLES = """
create unlogged table rate_counts (
    subject text collate "C" primary key,
    minute int not null,
    used_minute int not null,
    hour int not null,
    used_hour int not null
) with (fillfactor = 50);
comment on column rate_counts.minute is 'the window that used_minute is of, in minutes since the epoch';

create unlogged table rate_servers (
    instance int primary key,
    shares boolean not null
);
comment on column rate_servers.shares is 'counts in rate_counts, not in its own memory';
"""

# The clock is read before the row can be waited for: a window that another has begun meanwhile is the later one.
TAKE = """
create function rate_take(
    the_subject text, per_minute int, per_hour int, cost int,
    out allowed boolean, out now float8, out used_minute int, out used_hour int
) language plpgsql as $$
declare
    the_minute int;
    the_hour int;
begin
    now := extract(epoch from clock_timestamp());
    the_minute := floor(now / 60);
    the_hour := floor(now / 3600);
    if cost > 0 then
        insert into rate_counts as r (subject, minute, used_minute, hour, used_hour)
        values (the_subject, the_minute, cost, the_hour, cost)
        on conflict (subject) do update set
            minute = greatest(r.minute, excluded.minute),
            hour = greatest(r.hour, excluded.hour),
            used_minute = case when r.minute < excluded.minute then 0 else r.used_minute end + cost,
            used_hour = case when r.hour < excluded.hour then 0 else r.used_hour end + cost
        where case when r.minute < excluded.minute then 0 else r.used_minute end + cost <= per_minute
          and case when r.hour < excluded.hour then 0 else r.used_hour end + cost <= per_hour
        returning r.used_minute, r.used_hour into used_minute, used_hour;
        allowed := found;
        if allowed then
            return;
        end if;
    end if;
    select case when r.minute < the_minute then 0 else r.used_minute end,
           case when r.hour < the_hour then 0 else r.used_hour end
    into used_minute, used_hour from rate_counts r where r.subject = the_subject;
    used_minute := coalesce(used_minute, 0);
    used_hour := coalesce(used_hour, 0);
    allowed := cost = 0 and used_minute < per_minute and used_hour < per_hour;
end $$;
comment on function rate_take is 'uses up cost (0: only looks) of both windows of a subject, or of none';
"""

# Those who come and those who go are put in a row by the lock (1096041296, 0).
SERVERS = """
create function rate_join(the_instance int) returns int language plpgsql as $$
begin
    perform pg_advisory_xact_lock(1096041296, 0);
    delete from rate_servers where instance <> the_instance and instance_is_dead(instance);
    insert into rate_servers values (the_instance, true) on conflict (instance) do update set shares = true;
    return (select count(*) from rate_servers where not shares);
end $$;
comment on function rate_join is 'makes it known that an instance counts here; how many others do not yet';

create function rate_others(the_instance int) returns int language plpgsql as $$
begin
    delete from rate_servers where instance <> the_instance and instance_is_dead(instance);
    if not exists (select from rate_servers where instance = the_instance) then
        return null;
    end if;
    return (select count(*) from rate_servers where instance <> the_instance);
end $$;
comment on function rate_others is 'how many other servers live; null where the instance itself is not known any more';
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(TAKE)
    op.execute(SERVERS)
