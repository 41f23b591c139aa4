"""What vendors were asked of late, and leases."""

from alembic import op

revision = "0014"
down_revision = "0013"

TABLES = """
create unlogged table quota_accounts (
    account text collate "C" primary key,
    paused_until timestamptz not null default '-infinity',
    single_until timestamptz not null default '-infinity'
);
comment on column quota_accounts.account is '<vendor>:<its own account>';
comment on column quota_accounts.single_until is 'bulk work stands back until then: a single call waits';
create unlogged table quota_parts (
    account text collate "C" not null,
    seconds float8 not null,
    part bigint not null,
    used int not null,
    primary key (account, seconds, part)
);
create unlogged table quota_calls (
    account text collate "C" not null,
    call text collate "C" not null,
    began timestamptz not null,
    primary key (account, call)
);

create table leases (
    name text collate "C" primary key,
    owner int not null,
    fence bigint not null generated always as identity,
    ends_at timestamptz not null
);
create index on leases (ends_at);
comment on column leases.owner is 'the instance that keeps it';
"""

QUOTAS = """
create function quota_take(
    the_account text, the_call text, bulk boolean, concurrency int, requests int[], seconds float8[],
    parts int, patience float8, single_seconds float8, out wait float8, out at float8
) language plpgsql as $$
declare
    state quota_accounts;
    width float8;
    used bigint;
    oldest bigint;
begin
    perform set_config('synchronous_commit', 'off', true);
    insert into quota_accounts values (the_account) on conflict do nothing;
    select * into state from quota_accounts where account = the_account for no key update;
    at := extract(epoch from clock_timestamp());
    wait := greatest(0, extract(epoch from state.paused_until) - at);
    if bulk then
        wait := greatest(wait, extract(epoch from state.single_until) - at);
    end if;
    for i in 1 .. cardinality(seconds) loop
        width := seconds[i] / parts;
        delete from quota_parts p where p.account = the_account and p.seconds = quota_take.seconds[i]
            and p.part < floor(at / width) - parts;
        select coalesce(sum(p.used), 0), min(p.part) filter (where p.used > 0) into used, oldest
        from quota_parts p where p.account = the_account and p.seconds = quota_take.seconds[i];
        if used >= requests[i] then
            wait := greatest(wait, (coalesce(oldest, floor(at / width)) + parts + 1) * width - at);
        end if;
    end loop;
    if concurrency is not null then
        delete from quota_calls c where c.account = the_account
            and c.began < clock_timestamp() - make_interval(secs => patience);
        if (select count(*) from quota_calls c where c.account = the_account) >= concurrency then
            wait := greatest(wait, 0.05);
        end if;
    end if;
    if wait > 0 then
        if not bulk then
            update quota_accounts set single_until = clock_timestamp() + make_interval(secs => single_seconds)
            where account = the_account;
        end if;
        return;
    end if;
    for i in 1 .. cardinality(seconds) loop
        insert into quota_parts as p values (the_account, seconds[i], floor(at / (seconds[i] / parts)), 1)
        on conflict on constraint quota_parts_pkey do update set used = p.used + 1;
    end loop;
    if concurrency is not null then
        insert into quota_calls values (the_account, the_call, clock_timestamp());
    end if;
    if not bulk and state.single_until > clock_timestamp() then
        update quota_accounts set single_until = '-infinity' where account = the_account;
    end if;
end $$;

create function quota_done(
    the_account text, the_call text, at float8, the_seconds float8[], parts int
) returns void language plpgsql as $$
declare
    width float8;
    granted bigint;
    ended bigint;
begin
    perform set_config('synchronous_commit', 'off', true);
    perform from quota_accounts where account = the_account for no key update;
    delete from quota_calls where account = the_account and call = the_call;
    for i in 1 .. cardinality(the_seconds) loop
        width := the_seconds[i] / parts;
        granted := floor(at / width);
        ended := least(floor(extract(epoch from clock_timestamp()) / width), granted + parts);
        if ended > granted then
            update quota_parts set used = used - 1
            where account = the_account and seconds = the_seconds[i] and part = granted and used > 0;
            if found then
                insert into quota_parts as p values (the_account, the_seconds[i], ended, 1)
                on conflict on constraint quota_parts_pkey do update set used = p.used + 1;
            end if;
        end if;
    end loop;
end $$;

create function quota_pause(the_account text, pause float8) returns void language plpgsql as $$
begin
    insert into quota_accounts as q (account, paused_until)
    values (the_account, clock_timestamp() + make_interval(secs => pause))
    on conflict (account) do update set paused_until = greatest(q.paused_until, excluded.paused_until);
end $$;
"""

LEASES = """
create function lease_take(the_name text, the_owner int, ttl float8, out fence bigint, out wait float8)
language plpgsql as $$
begin
    perform set_config('synchronous_commit', 'off', true);
    delete from leases l where l.name = the_name and l.ends_at <= clock_timestamp();
    insert into leases as l (name, owner, ends_at)
    values (the_name, the_owner, clock_timestamp() + make_interval(secs => ttl))
    on conflict on constraint leases_pkey do nothing returning l.fence into lease_take.fence;
    if lease_take.fence is null then
        select extract(epoch from l.ends_at - clock_timestamp()) into wait from leases l where l.name = the_name;
    end if;
end $$;
comment on function lease_take is 'a fence where the lease is ours now, else the seconds until it ends';

create function lease_free(the_name text, the_owner int) returns void language plpgsql as $$
begin
    perform set_config('synchronous_commit', 'off', true);
    delete from leases l where l.name = the_name and l.owner = the_owner;
    if found then
        perform pg_notify('addtocrm', 'lease:' || the_name);
    end if;
end $$;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(QUOTAS)
    op.execute(LEASES)
