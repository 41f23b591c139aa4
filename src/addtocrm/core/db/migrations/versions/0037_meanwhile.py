"""Who is on the suppression list is read after its lock is had; a sign-in under way ends where its member is signed out
everywhere."""

from alembic import op

revision = "0037"
down_revision = "0036"

# Each statement of a function that is volatile sees what was committed before it; that of a caller, who may have waited
# for the lock within it, does not.
SUPPRESSED = """
create function suppressed_among(digests bytea[]) returns setof bytea language plpgsql as $$
begin
    if suppression_check() then
        return query select digest from unnest(digests) as digest
            where suppression_hash(digest) in (select hash from suppressions);
    end if;
end $$;
comment on function suppressed_among is
    'those who are on the list, to which nobody is added until the transaction ends';
"""

SIGNED_OUT = """
alter table members add column signed_out int not null default 0;
comment on column members.signed_out is
    'how often they were signed out everywhere: a sign-in that began before is void';
"""


def upgrade() -> None:
    op.execute(SUPPRESSED)
    op.execute(SIGNED_OUT)
