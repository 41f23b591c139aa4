"""People are found by LinkedIn URLs that they had before."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute(
        """create index people_former_urls on people using gin ((data -> 'former_linkedin_urls'))
           where data ? 'former_linkedin_urls'"""
    )
