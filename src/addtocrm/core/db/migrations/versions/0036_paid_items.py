"""A result knows for which item of a job it was paid: an item that is done again after a crash says what it cost."""

from alembic import op

revision = "0036"
down_revision = "0035"

ITEMS = """
alter table holds add column item text collate "C";
alter table results add column item text collate "C";
comment on column results.item is 'the item of a job that paid for it: <job>/<position>; null where a request did';
drop function credits_claim(text, text, text, text, text, text, int, boolean, timestamptz, bytea[]);
"""

CLAIM = """
create function credits_claim(
    the_hold text, the_account text, the_operation text, the_key text, the_request text, the_api_key text,
    the_item text, the_instance int, refresh boolean, fresh_since timestamptz, subjects bytea[],
    out state text, out data json, out expires_at timestamptz, out available bigint, out paid boolean
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
        select r.data, r.expires_at, coalesce(r.item = the_item, false) into data, expires_at, paid from results r
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
    insert into holds (id, account_id, operation, lookup_key, request_id, key_id, item, instance, period_start)
    values (the_hold, the_account, the_operation, the_key, the_request, the_api_key, the_item,
            the_instance, account.period_start);
    state := 'held';
end $$;
comment on function credits_claim is
    'holds a credit, or says why not; paid: it is cached because the same item paid for it, before a crash';
"""

CAPTURE = """
create or replace function credits_capture(
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
    insert into results as r (account_id, operation, lookup_key, data, expires_at, subjects, item)
    values (hold.account_id, hold.operation, hold.lookup_key, the_data, the_expiry,
            nullif(credits_capture.subjects, '{}'), hold.item)
    on conflict (account_id, operation, lookup_key)
    do update set data = excluded.data, created_at = now(), expires_at = excluded.expires_at,
                  subjects = excluded.subjects, item = excluded.item;
    insert into ledger (id, account_id, kind, amount, operation, request_id, key_id, actor, period_start)
    values (the_charge, hold.account_id, 'charge', -1, hold.operation, hold.request_id, hold.key_id, the_actor,
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


def upgrade() -> None:
    op.execute(ITEMS)
    op.execute(CLAIM)
    op.execute(CAPTURE)
