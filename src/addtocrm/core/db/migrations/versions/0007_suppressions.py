"""The suppression list, and the look-ups that keep to it."""

from alembic import op

revision = "0007"
down_revision = "0006"

LIST = """
create table suppressions (
    hash bytea primary key,
    added_at timestamptz not null default now()
);
comment on column suppressions.hash is 'SHA-256 of linkedin:<URL> or email:<address in lower case>';
alter table imports add column suppressed bigint not null default 0;

create function suppression_lock() returns void language sql as $$
    select pg_advisory_xact_lock_shared(1096041286, 0)
$$;
comment on function suppression_lock is
    'nobody is put on the list until the transaction ends; who puts somebody on it takes this lock exclusively';

create function is_suppressed(hashes bytea[]) returns boolean language plpgsql as $$
begin
    if hashes = '{}' then
        return false;
    end if;
    perform suppression_lock();
    return exists (select from suppressions where hash = any(hashes));
end $$;
"""

LOOKUPS = """
drop function credits_claim(text, text, text, text, text, text, int, boolean, int);
create function credits_claim(
    the_hold text, the_account text, the_operation text, the_key text, the_request text, the_api_key text,
    the_instance int, refresh boolean, fresh_since timestamptz, plan_credits int, subjects bytea[],
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


drop function credits_capture(text, text, text, text, text, json, timestamptz, json);
create function credits_capture(
    the_hold text, the_charge text, the_event text, the_event_type text, the_actor text,
    the_data json, the_expiry timestamptz, event_data json, subjects bytea[],
    out captured boolean, out suppressed boolean, out available int
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
"""


def upgrade() -> None:
    op.execute(LIST)
    op.execute(LOOKUPS)
