"""Whether two employers are one company is no longer decided in SQL; former LinkedIn URLs are added to those that are
known; identities tell Han names apart."""

from alembic import op
from sqlalchemy import text

from addtocrm.core.matching.han import han

revision = "0020"
down_revision = "0019"

MERGED = """
drop function merged_person(jsonb, jsonb, boolean);
drop function works_elsewhere(text, text, text, text);
create function merged_person(data jsonb, new jsonb) returns jsonb language sql immutable as $$
    select data || new
        || case when data ? 'company' and new ? 'company'
                then jsonb_build_object('company', (data -> 'company') || (new -> 'company')) else '{}' end
        || case when data ? 'former_linkedin_urls' and new ? 'former_linkedin_urls'
                then jsonb_build_object('former_linkedin_urls', (data -> 'former_linkedin_urls') || (
                    select coalesce(jsonb_agg(url), '[]')
                    from jsonb_array_elements_text(new -> 'former_linkedin_urls') as url
                    where not data -> 'former_linkedin_urls' ? url)) else '{}' end
$$;
comment on function merged_person is 'what a person''s data becomes by a new row about the same employment';
"""


def upgrade() -> None:
    op.execute(MERGED)
    connection = op.get_bind()
    rows = connection.execute(
        text("""select id, identity, data ->> 'full_name' as name from people
                where identity ~ '^(em|nc):.*[|]' and data ->> 'full_name' ~ '[\u3400-\u9fff]'""")
    )
    changes = [{"id": row.id, "identity": _with_han(row.identity, han(row.name))} for row in rows]
    if changes:
        connection.execute(text("update people set identity = :identity where id = :id"), changes)


def _with_han(identity: str, characters: str) -> str:
    """`nc:<name>|<company>` or `em:<address>|<name>` with the characters after the name."""
    before, _, after = identity.rpartition("|")
    if not characters:
        return identity
    return f"{before} {characters}|{after}" if identity.startswith("nc:") else f"{identity} {characters}"
