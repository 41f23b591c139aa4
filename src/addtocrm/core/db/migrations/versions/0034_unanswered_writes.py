"""A change whose answer was lost is told when the record is read again, and who was typed in meanwhile is not taken for
somebody whom we made: the fields that were sent are kept until the CRM answers."""

from alembic import op

revision = "0034"
down_revision = "0033"

LINKS = """
alter table crm_links add column fields jsonb;
comment on column crm_links.fields is 'the CRM''s fields that it was sent and did not answer to yet, else null';
comment on column crm_links.record_id is
    'null while it is not known whether the CRM has made the record; of the name `update`, which is changed just now';
update crm_links set fields = '[]' where record_id is null;
drop index crm_links_at_idx;
create index on crm_links (at) where fields is not null;
"""


def upgrade() -> None:
    op.execute(LINKS)
