"""Who owns, and which list has, what a CRM gets without being told; a sign-in at a CRM that is bound to a session."""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    op.execute("""
    alter table crm_connections add column default_owner text, add column default_list text;
    comment on column crm_connections.default_owner is 'id of the CRM''s owner of new records where none is named';
    comment on column crm_connections.default_list is 'id of the CRM''s list of contacts where none is named';

    alter table crm_authorizations add column session_id text collate "C";
    create index on crm_authorizations (session_id, began_at) where session_id is not null;
    comment on column crm_authorizations.session_id is 'the session that began it in the dashboard, where it ends';
    """)
