"""Notes on the members of lists; searching the contacts and companies of the built-in CRM."""

from alembic import op

revision = "0028"
down_revision = "0027"

NOTES = """
alter table list_members add column note text, add column mentions bytea[];
create index on list_members using gin (mentions) with (fastupdate = off);
comment on column list_members.mentions is 'whom the note mentions (see privacy)';
"""

# Words of what a record is known by, with the account's id as one of them, so that an index gives an account's own.
# `name_key` and `company_key` have names in the plain form in which they are asked for.
SEARCH = r"""
create function crm_words(account_id text, texts text) returns tsvector language sql immutable as $$
    select array_to_tsvector(array[account_id]) || strip(to_tsvector('simple'::regconfig,
        translate(texts, '.,;:@/_+()[]{}<>&#%=!?*|~^''"\-', repeat(' ', 30))));
$$;
create function crm_joined(texts text[]) returns text language sql immutable as $$
    select array_to_string(texts, ' ');
$$;
alter table crm_contacts add column words tsvector generated always as (
    crm_words(account_id, crm_joined(array[name_key, company_key, company_name, email, company_domain] || other_emails))
) stored;
alter table crm_companies add column words tsvector generated always as (
    crm_words(account_id, crm_joined(array[name_key, name, domain, website]))
) stored;
create index on crm_contacts using gin (words) with (fastupdate = off);
create index on crm_companies using gin (words) with (fastupdate = off);
create index on crm_contacts (company_id, id);
drop index crm_contacts_company_id_idx;
"""


def upgrade() -> None:
    op.execute(NOTES)
    op.execute(SEARCH)
