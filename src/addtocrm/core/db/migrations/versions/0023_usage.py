"""The ledger knows who asked, and usage is added up by them; answers from the cache are counted beside."""

from alembic import op

revision = "0023"
down_revision = "0022"

LEDGER = """
alter table ledger add column actor text collate "C";
comment on column ledger.actor is
    'who asked for what it charges: key:<id>, user:<id>, operator; null for what is no lookup';
alter table ledger disable trigger append_only;
update ledger set actor = 'key:' || key_id where key_id is not null;
alter table ledger enable trigger append_only;
create index ledger_of_operation on ledger (account_id, operation, id);
create index ledger_of_actor on ledger (account_id, actor, operation, id);
drop index ledger_account_id_period_start_idx;
"""

# Which key it was is in the actor.
USAGE = """
alter table usage
    add column actor text collate "C",
    add column cached bigint not null default 0;
comment on column usage.cached is 'answers from the cache, which were free';
update usage set actor = 'key:' || key_id where key_id is not null;
alter table usage drop column key_id;
alter table usage add unique nulls not distinct (account_id, period_start, day, operation, actor, slot);

create or replace function add_charge_to_usage() returns trigger language plpgsql as $$
begin
    insert into usage as u (account_id, period_start, day, operation, actor, slot, credits)
    values (new.account_id, new.period_start, (new.at at time zone 'UTC')::date, new.operation, new.actor,
            pg_backend_pid() % 16, -new.amount)
    on conflict (account_id, period_start, day, operation, actor, slot)
    do update set credits = u.credits + excluded.credits;
    return null;
end $$;
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
    insert into results as r (account_id, operation, lookup_key, data, expires_at, subjects)
    values (hold.account_id, hold.operation, hold.lookup_key, the_data, the_expiry,
            nullif(credits_capture.subjects, '{}'))
    on conflict (account_id, operation, lookup_key)
    do update set data = excluded.data, created_at = now(), expires_at = excluded.expires_at,
                  subjects = excluded.subjects;
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
    op.execute(LEDGER)
    op.execute(USAGE)
    op.execute(CAPTURE)
