"""Credits without bounds of 32 bits, plans that the database knows, charges added up as they are made, results whose
end nobody need be told of, and what a request did kept with its Idempotency-Key."""

from alembic import op

revision = "0009"
down_revision = "0008"

# What names the columns goes first.
NUMBERS = """
drop function credits_claim(text, text, text, text, text, text, int, boolean, timestamptz, int, bytea[]);
drop function credits_capture(text, text, text, text, text, json, timestamptz, json, bytea[]);
drop function credits_release(text);
drop function credits_roll(accounts, int);
drop trigger notify_account on accounts;

alter table accounts
    alter column custom_credits type bigint,
    alter column available type bigint,
    alter column period_credits type bigint;
create trigger notify_account after update of plan, custom_credits on accounts
    for each row execute function notify_account('id');
alter table ledger alter column amount type bigint;
alter table results add column subjects bytea[];
comment on column results.subjects is 'whom it is about: the SHA-256 of each of their identifiers';
"""

PLANS = """
create function plan_credits(plan text) returns bigint language sql immutable as $$
    select case plan when 'free' then 50 when 'pro' then 1000 end::bigint
$$;
create function monthly_credits(account accounts) returns bigint language sql immutable as $$
    select coalesce(account.custom_credits, plan_credits(account.plan))
$$;
comment on function monthly_credits is 'what each period of the account begins with';
"""

USAGE = """
create table usage (
    account_id text collate "C" not null,
    period_start timestamptz not null,
    day date not null,
    operation text not null,
    key_id text,
    slot int not null,
    credits bigint not null,
    unique nulls not distinct (account_id, period_start, day, operation, key_id, slot)
) with (fillfactor = 50);
comment on table usage is 'the charges of the ledger, added up as they are made; the day is UTC''s';
comment on column usage.slot is
    'charges of different connections are added to different rows, so that none waits for another to reach the disk';

insert into usage
select account_id, period_start, (at at time zone 'UTC')::date, operation, key_id, 0, -sum(amount)
from ledger where kind = 'charge' group by 1, 2, 3, 4, 5;

create function add_charge_to_usage() returns trigger language plpgsql as $$
begin
    insert into usage as u (account_id, period_start, day, operation, key_id, slot, credits)
    values (new.account_id, new.period_start, (new.at at time zone 'UTC')::date, new.operation, new.key_id,
            pg_backend_pid() % 16, -new.amount)
    on conflict (account_id, period_start, day, operation, key_id, slot)
    do update set credits = u.credits + excluded.credits;
    return null;
end $$;
create trigger add_charge_to_usage after insert on ledger
    for each row when (new.kind = 'charge') execute function add_charge_to_usage();
"""

CREDITS = """
create function credits_roll(account accounts) returns accounts language plpgsql as $$
declare
    months int := account.period;
    monthly bigint := monthly_credits(account);
begin
    while account.anchor + make_interval(months => months + 1) <= now() loop
        months := months + 1;
    end loop;
    if account.available > 0 then
        insert into ledger (id, account_id, kind, amount, period_start)
        values (new_id('led'), account.id, 'expire', -account.available, account.period_start);
    end if;
    update accounts set
        period = months,
        period_start = anchor + make_interval(months => months),
        period_end = anchor + make_interval(months => months + 1),
        available = monthly, period_credits = monthly, warned = 0
    where id = account.id returning * into account;
    if monthly > 0 then
        insert into ledger (id, account_id, kind, amount, period_start)
        values (new_id('led'), account.id, 'grant', monthly, account.period_start);
    end if;
    return account;
end $$;
comment on function credits_roll is 'starts the period that contains now; the caller holds the row lock';

create function credits_lock(the_account text) returns accounts language plpgsql as $$
declare
    account accounts;
begin
    select * into account from accounts where id = the_account for no key update;
    if account.period_end <= now() then
        account := credits_roll(account);
    end if;
    return account;
end $$;
comment on function credits_lock is 'the account in the period that contains now, its row locked';

create function credits_claim(
    the_hold text, the_account text, the_operation text, the_key text, the_request text, the_api_key text,
    the_instance int, refresh boolean, fresh_since timestamptz, subjects bytea[],
    out state text, out data json, out expires_at timestamptz, out available bigint
) language plpgsql as $$
declare
    account accounts;
begin
    -- A lost hold is harmless (its capture cannot be durable without it), so the row lock need not wait for the disk.
    perform set_config('synchronous_commit', 'off', true);
    account := credits_lock(the_account);
    available := account.available;
    if exists (select from holds h where (h.account_id, h.operation, h.lookup_key)
                                       = (the_account, the_operation, the_key)) then
        state := 'busy';
        return;
    end if;
    if not refresh or fresh_since is not null then
        select r.data, r.expires_at into data, expires_at from results r
        where (r.account_id, r.operation, r.lookup_key) = (the_account, the_operation, the_key)
          and r.expires_at > now() and (fresh_since is null or r.created_at >= fresh_since);
        if found then
            state := 'cached';
            return;
        end if;
    end if;
    if is_suppressed(subjects) then
        state := 'suppressed';
        return;
    end if;
    if account.available = 0 then
        state := 'insufficient';
        return;
    end if;
    update accounts a set available = a.available - 1 where id = the_account returning a.available into available;
    insert into holds (id, account_id, operation, lookup_key, request_id, key_id, instance, period_start)
    values (the_hold, the_account, the_operation, the_key, the_request, the_api_key, the_instance,
            account.period_start);
    state := 'held';
end $$;

create function credits_release(the_hold text, out available bigint) language plpgsql as $$
declare
    hold holds;
    account accounts;
begin
    perform set_config('synchronous_commit', 'off', true);
    delete from holds where id = the_hold returning * into hold;
    if not found then
        return;
    end if;
    select * into account from accounts where id = hold.account_id for no key update;
    if account.period_start = hold.period_start then
        update accounts a set available = a.available + 1 where id = account.id returning a.available into available;
    else
        insert into ledger (id, account_id, kind, amount, period_start)
        values (new_id('led'), hold.account_id, 'expire', -1, hold.period_start);
        available := account.available;
    end if;
end $$;

create function credits_capture(
    the_hold text, the_charge text, the_event text, the_event_type text, the_actor text,
    the_data json, the_expiry timestamptz, event_data json, subjects bytea[],
    out captured boolean, out suppressed boolean, out available bigint
) language plpgsql as $$
declare
    hold holds;
    account accounts;
begin
    suppressed := is_suppressed(subjects);
    if suppressed then
        captured := false;
        available := credits_release(the_hold);
        return;
    end if;
    delete from holds where id = the_hold returning * into hold;
    captured := found;
    if not captured then
        return;
    end if;
    insert into results as r (account_id, operation, lookup_key, data, expires_at, subjects)
    values (hold.account_id, hold.operation, hold.lookup_key, the_data, the_expiry,
            nullif(credits_capture.subjects, '{}'))
    on conflict (account_id, operation, lookup_key)
    do update set data = excluded.data, created_at = now(), expires_at = excluded.expires_at,
                  subjects = excluded.subjects;
    insert into ledger (id, account_id, kind, amount, operation, request_id, key_id, period_start)
    values (the_charge, hold.account_id, 'charge', -1, hold.operation, hold.request_id, hold.key_id,
            hold.period_start);
    insert into events_outbox (id, account_id, type, actor, request_id, data, subjects)
    values (the_event, hold.account_id, the_event_type, the_actor, hold.request_id, event_data,
            nullif(credits_capture.subjects, '{}'));
    select * into account from accounts where id = hold.account_id;
    available := account.available;
    if account.warned < 3 and account.available * 5 <= account.period_credits then
        perform credits_warn(hold.account_id, the_actor, hold.request_id);
    end if;
end $$;
"""

NOTICES = """
drop trigger notify_results on results;
drop function notify_results();
create function result_notice(gone results) returns text language sql immutable as $$
    select 'result:' || gone.account_id || ':' || md5(gone.operation || chr(10) || gone.lookup_key)
$$;
create function notify_result_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('addtocrm', result_notice(old));
    return null;
end $$;
create trigger notify_result_changed after update on results
    for each row when (old.expires_at > now()) execute function notify_result_changed();
create function notify_results_deleted() returns trigger language plpgsql as $$
begin
    perform pg_notify('addtocrm', case when count(*) = 1 then min(result_notice(gone))
                                       else 'results:' || account_id end)
    from gone where expires_at > now() group by account_id;
    return null;
end $$;
comment on function notify_results_deleted is 'one notice for an account, however many of its results went';
create trigger notify_results_deleted after delete on results referencing old table as gone
    for each statement execute function notify_results_deleted();
"""

IDEMPOTENCY = """
alter table idempotency add column outcome json;
comment on column idempotency.outcome is
    'what the request did, written in the transaction that did it; the answer, once it is stored, takes its place';
"""


def upgrade() -> None:
    op.execute(NUMBERS)
    op.execute(PLANS)
    op.execute(USAGE)
    op.execute(CREDITS)
    op.execute(NOTICES)
    op.execute(IDEMPOTENCY)
