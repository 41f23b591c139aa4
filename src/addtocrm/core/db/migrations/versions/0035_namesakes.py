"""Somebody is found by name and employer in one index, however many have the name."""

from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    op.execute("drop index people_name_key_idx")
    op.execute(
        """create index people_names on people (name_key, company_domain, company_key)
           where name_key is not null"""
    )
