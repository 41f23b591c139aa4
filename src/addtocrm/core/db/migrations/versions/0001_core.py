"""Accounts, keys, credits, results, events and idempotency: what every request stands on."""

from alembic import op

revision = "0001"
down_revision = None

# The hot tables (holds, results, ledger, events, idempotency) have no foreign key: an account is never deleted,
# and the check would lock its row in every transaction.
TABLES = """
create table accounts (
    id text collate "C" primary key,
    email text not null unique,
    plan text not null check (plan in ('free', 'pro')),
    password text,
    custom_credits int check (custom_credits >= 0),
    available int not null check (available >= 0),
    period_credits int not null,
    period int not null default 0,
    anchor timestamptz not null default now(),
    period_start timestamptz not null,
    period_end timestamptz not null,
    warned int not null default 0,
    created_at timestamptz not null default now()
);
comment on column accounts.custom_credits is 'monthly credits where they differ from the plan''s';
comment on column accounts.available is 'credits that are neither spent nor held';
comment on column accounts.period_credits is 'credits granted for this period';
comment on column accounts.warned is 'lowest mark announced in this period: 0 none, 1 low, 2 very low, 3 exhausted';

create table keys (
    id text collate "C" primary key,
    account_id text collate "C" not null references accounts,
    name text not null,
    hash bytea not null unique,
    prefix text not null,
    last_four text not null,
    scopes text[] not null check (cardinality(scopes) > 0),
    rate_per_minute int check (rate_per_minute > 0),
    rate_per_hour int check (rate_per_hour > 0),
    created_at timestamptz not null default now(),
    revoked_at timestamptz
);
create index on keys (account_id);

create table ledger (
    id text collate "C" primary key,
    account_id text collate "C" not null,
    at timestamptz not null default clock_timestamp(),
    kind text not null check (kind in ('grant', 'adjust', 'expire', 'charge')),
    amount int not null,
    operation text,
    request_id text,
    key_id text,
    period_start timestamptz not null,
    check ((kind = 'charge') = (operation is not null and request_id is not null and amount < 0))
);
create index on ledger (account_id, period_start);
create function ledger_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'the ledger is append-only';
end $$;
create trigger append_only before update or delete or truncate on ledger
    for each statement execute function ledger_is_append_only();

create table holds (
    id text collate "C" primary key,
    account_id text collate "C" not null,
    operation text not null,
    lookup_key text collate "C" not null,
    request_id text not null,
    key_id text,
    instance int not null,
    period_start timestamptz not null,
    created_at timestamptz not null default now(),
    unique (account_id, operation, lookup_key)
);

create table results (
    account_id text collate "C" not null,
    operation text not null,
    lookup_key text collate "C" not null,
    data json not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    primary key (account_id, operation, lookup_key)
);
create index on results (expires_at);

create table idempotency (
    owner text collate "C" not null,
    key text collate "C" not null,
    fingerprint bytea not null,
    instance int,
    status int,
    content_type text,
    body bytea,
    created_at timestamptz not null default now(),
    primary key (owner, key)
);
create index on idempotency (created_at);

create table events_outbox (
    id text collate "C" primary key,
    account_id text collate "C" not null,
    type text not null,
    actor text not null,
    request_id text,
    data json not null
);
create table events (
    account_id text collate "C" not null,
    inserted timestamptz not null,
    id text collate "C" not null,
    type text not null,
    actor text not null,
    request_id text,
    data json not null,
    primary key (account_id, inserted, id)
);
create table events_clock (last timestamptz not null);
insert into events_clock values (clock_timestamp());
"""

NOTIFICATIONS = """
create function notify_account() returns trigger language plpgsql as $$
begin
    perform pg_notify('addtocrm', 'account:' || (to_jsonb(new) ->> tg_argv[0]));
    return null;
end $$;
create trigger notify_account after insert or update on keys
    for each row execute function notify_account('account_id');
create trigger notify_account after update of plan, custom_credits on accounts
    for each row execute function notify_account('id');
create function notify_results() returns trigger language plpgsql as $$
begin
    perform pg_notify('addtocrm', 'results:' || old.account_id);
    return null;
end $$;
create trigger notify_results after update or delete on results
    for each row execute function notify_results();
"""

CREDITS = """
create function new_id(prefix text) returns text language sql volatile as $$
    select prefix || '_' || lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')
        || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14)
$$;
comment on function new_id is 'a prefix and a UUIDv7, as db/ids.py makes them';

create function instance_is_dead(instance int) returns boolean language sql as $$
    select pg_try_advisory_xact_lock(1096041283, instance)
$$;
comment on function instance_is_dead is 'a living process keeps this advisory lock for its instance number';

create function credits_roll(account accounts, monthly int) returns accounts language plpgsql as $$
declare
    months int := account.period;
begin
    while account.anchor + make_interval(months => months + 1) <= now() loop
        months := months + 1;
    end loop;
    if account.available > 0 then
        insert into ledger (id, account_id, kind, amount, period_start)
        values (new_id('led'), account.id, 'expire', -account.available,
                account.period_start);
    end if;
    update accounts set
        period = months,
        period_start = anchor + make_interval(months => months),
        period_end = anchor + make_interval(months => months + 1),
        available = monthly, period_credits = monthly, warned = 0
    where id = account.id returning * into account;
    if monthly > 0 then
        insert into ledger (id, account_id, kind, amount, period_start)
        values (new_id('led'), account.id, 'grant', monthly,
                account.period_start);
    end if;
    return account;
end $$;
comment on function credits_roll is 'starts the period that contains now; the caller holds the row lock';

create function credits_claim(
    the_hold text, the_account text, the_operation text, the_key text, the_request text, the_api_key text,
    the_instance int, refresh boolean, plan_credits int,
    out state text, out data json, out expires_at timestamptz, out available int
) language plpgsql as $$
declare
    account accounts;
begin
    -- A lost hold is harmless (its capture cannot be durable without it), so the row lock need not wait for the disk.
    perform set_config('synchronous_commit', 'off', true);
    select * into account from accounts where id = the_account for no key update;
    if account.period_end <= now() then
        account := credits_roll(account, coalesce(account.custom_credits, plan_credits));
    end if;
    available := account.available;
    if exists (select from holds h where (h.account_id, h.operation, h.lookup_key)
                                       = (the_account, the_operation, the_key)) then
        state := 'busy';
        return;
    end if;
    if not refresh then
        select r.data, r.expires_at into data, expires_at from results r
        where (r.account_id, r.operation, r.lookup_key) = (the_account, the_operation, the_key)
          and r.expires_at > now();
        if found then
            state := 'cached';
            return;
        end if;
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

create function credits_warn(the_account text, the_actor text, the_request text) returns void
language plpgsql as $$
declare
    account accounts;
    mark int;
begin
    select * into account from accounts where id = the_account for no key update;
    mark := case when account.available = 0 then 3
                 when account.available * 20 <= account.period_credits then 2
                 when account.available * 5 <= account.period_credits then 1
                 else 0 end;
    if mark <= account.warned then
        return;
    end if;
    update accounts set warned = mark where id = the_account;
    insert into events_outbox (id, account_id, type, actor, request_id, data)
    values (new_id('evt'),
            the_account,
            case mark when 3 then 'credits.exhausted' else 'credits.low' end, the_actor, the_request,
            json_build_object('limit', account.period_credits, 'remaining', account.available,
                              'percent', case mark when 3 then 0 when 2 then 5 else 20 end));
end $$;

create function credits_capture(
    the_hold text, the_charge text, the_event text, the_event_type text, the_actor text,
    the_data json, the_expiry timestamptz, event_data json,
    out captured boolean, out available int
) language plpgsql as $$
declare
    hold holds;
    account accounts;
begin
    delete from holds where id = the_hold returning * into hold;
    captured := found;
    if not captured then
        return;
    end if;
    insert into results as r (account_id, operation, lookup_key, data, expires_at)
    values (hold.account_id, hold.operation, hold.lookup_key, the_data, the_expiry)
    on conflict (account_id, operation, lookup_key)
    do update set data = excluded.data, created_at = now(), expires_at = excluded.expires_at;
    insert into ledger (id, account_id, kind, amount, operation, request_id, key_id, period_start)
    values (the_charge, hold.account_id, 'charge', -1, hold.operation, hold.request_id, hold.key_id,
            hold.period_start);
    insert into events_outbox (id, account_id, type, actor, request_id, data)
    values (the_event, hold.account_id, the_event_type, the_actor, hold.request_id, event_data);
    select * into account from accounts where id = hold.account_id;
    available := account.available;
    if account.warned < 3 and account.available * 5 <= account.period_credits then
        perform credits_warn(hold.account_id, the_actor, hold.request_id);
    end if;
end $$;

create function credits_release(the_hold text, out available int) language plpgsql as $$
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
        values (new_id('led'), hold.account_id, 'expire', -1,
                hold.period_start);
        available := account.available;
    end if;
end $$;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(NOTIFICATIONS)
    op.execute(CREDITS)
