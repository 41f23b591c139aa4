"""People by the domain of their e-mail: one index finds an address, and all addresses of a domain."""

from alembic import op

revision = "0006"
down_revision = "0005"

PEOPLE = """
create index people_address on people (split_part(email, '@', 2), email) where email is not null;
drop index people_email_idx;
"""


def upgrade() -> None:
    op.execute(PEOPLE)
