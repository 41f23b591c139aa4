"""Credits that an operator grants are none of the plan's: an upgrade brings its own beside them."""

from alembic import op

revision = "0031"
down_revision = "0030"

COLUMN = """
alter table accounts add column extra_credits bigint not null default 0;
comment on column accounts.extra_credits is 'credits of this period that an operator granted beside the plan''s';

update accounts a set extra_credits = granted.credits
from (select account_id, sum((detail ->> 'after')::bigint - (detail ->> 'before')::bigint) as credits
      from audit join accounts on accounts.id = account_id
      where action = 'operator.credits_granted' and at >= period_start group by account_id) as granted
where a.id = granted.account_id;
"""

ROLL = """
create or replace function credits_roll(account accounts) returns accounts language plpgsql as $$
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
        available = monthly, period_credits = monthly, extra_credits = 0, warned = 0
    where id = account.id returning * into account;
    if monthly > 0 then
        insert into ledger (id, account_id, kind, amount, period_start)
        values (new_id('led'), account.id, 'grant', monthly, account.period_start);
    end if;
    return account;
end $$;
"""


def upgrade() -> None:
    op.execute(COLUMN)
    op.execute(ROLL)
