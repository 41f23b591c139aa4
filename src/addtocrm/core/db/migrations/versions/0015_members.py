"""Members of lists are known by the one form of their identifiers: who was on a list by two forms is on it once."""

from typing import Any

import msgspec
from alembic import op
from sqlalchemy import Row, text

from addtocrm.core import identifiers
from addtocrm.core.individuals import Individual, same, spoken_of

revision = "0015"
down_revision = "0014"

CHUNK = 2000
STREAMED: Any = {"execution_options": {"stream_results": True}}


def upgrade() -> None:
    connection = op.get_bind()
    rows = connection.execute(
        text("select id, list_id, identity, email, person from list_members where identity !~ '^nc:' order by id"),
        **STREAMED,
    )
    for some in rows.partitions(CHUNK):
        for row in some:
            _rekey(row)


def _rekey(row: Row[Any]) -> None:
    """Gives a member its keys, or takes it off a list that has the same person already by them."""
    who = next(spoken_of(row.person), None)
    typed = row.person.get("email") or row.email
    try:
        email = identifiers.email_key(typed) if typed else None
    except ValueError:
        return
    identity = row.identity
    if email and identity.startswith("em:") and who:
        identity = f"em:{email}|{who.name}" if who.name else f"em:{email}"
    if who is None or (identity, email) == (row.identity, row.email):
        return
    connection = op.get_bind()
    known = {"id": row.id, "list_id": row.list_id, "identity": identity, "email": email}
    others = connection.execute(
        text(
            """select identity, person::text as person from list_members
               where list_id = :list_id and id <> :id and (identity = :identity or email = :email)"""
        ),
        known,
    ).all()
    if any(one.identity == identity or _is(who, one.person) for one in others):
        connection.execute(text("delete from list_members where id = :id"), known)
    else:
        connection.execute(text("update list_members set identity = :identity, email = :email where id = :id"), known)


def _is(who: Individual, person: str) -> bool:
    return any(same(who, one) for one in spoken_of(msgspec.json.decode(person)))
