"""The SQL of CRM connections and authorizations, and the locks of writes to the built-in CRM."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from addtocrm.core.db.pool import Connection, Pool

COLUMNS = """id, account_id, crm, name, crm_account_id, crm_account_name, secret, status, connected_at, active,
    api_url, auth_url, page_url, options, mapping, default_owner, default_list"""
LOCK_SECONDS = 20
AUTHORIZATION_SECONDS = 600


async def active(db: Connection | Pool, account_id: str, lock: str = "") -> asyncpg.Record | None:
    """The account's active connection. `lock`: `for share` while writing, so that it is not switched meanwhile."""
    query = f"select {COLUMNS} from crm_connections where account_id = $1 and active"
    while True:
        row = await db.fetchrow(f"{query} {lock}", account_id)
        # One that is switched while its lock is waited for is not active any more, and the statement does not see the
        # next one.
        if row or not lock or not await db.fetchrow(query, account_id):
            return row


async def connection(db: Connection | Pool, id: str) -> asyncpg.Record | None:
    return await db.fetchrow(f"select {COLUMNS} from crm_connections where id = $1", id)


async def connections(db: Connection | Pool, account_id: str) -> list[asyncpg.Record]:
    """All that the account has kept, the active one first."""
    return await db.fetch(
        f"select {COLUMNS} from crm_connections where account_id = $1 order by active desc, connected_at desc",
        account_id,
    )


async def outside(db: Connection | Pool) -> list[asyncpg.Record]:
    """(email, account_id) of the accounts that have a connection to another CRM than the built-in one."""
    return await db.fetch(
        """select email, id as account_id from accounts
           where id in (select account_id from crm_connections where secret is not null) order by email"""
    )


async def connect(db: Connection, values: Mapping[str, Any]) -> None:
    """Makes this the account's active connection; one of the same account at the CRM is replaced, and keeps its
    mapping and the settings that are not given anew. `values` are columns with their values."""
    await db.execute("update crm_connections set active = false where account_id = $1 and active", values["account_id"])
    columns = ", ".join(values)
    marks = ", ".join(f"${position}" for position in range(1, len(values) + 1))
    kept = ("id", "account_id", "crm", "options")
    changed = ", ".join(f"{name} = excluded.{name}" for name in values if name not in kept)
    await db.execute(
        f"""insert into crm_connections ({columns}) values ({marks})
            on conflict (account_id, crm, crm_account_id) do update
            set {changed}, options = crm_connections.options || excluded.options,
                active = true, status = 'connected', connected_at = clock_timestamp()""",
        *values.values(),
    )


async def activate(db: Connection, account_id: str, id: str) -> None:
    await db.execute("update crm_connections set active = false where account_id = $1 and active", account_id)
    await db.execute("update crm_connections set active = true where id = $1", id)


async def disconnect(db: Connection, id: str) -> asyncpg.Record | None:
    """Deletes a connection; gives what it was then, with the tokens that were renewed last."""
    return await db.fetchrow(f"delete from crm_connections where id = $1 returning {COLUMNS}", id)


async def expire(db: Connection, id: str, secret: bytes | None) -> bool:
    """Marks the connection while its secret is this one; whether it was not marked before."""
    done = await db.execute(
        """update crm_connections set status = 'token_expired'
           where id = $1 and status = 'connected' and secret is not distinct from $2""",
        id,
        secret,
    )
    return done == "UPDATE 1"


async def renew(pool: Pool, id: str, connected_at: object, secret: bytes) -> None:
    """Keeps the refreshed tokens of this very connection."""
    await pool.execute(
        "update crm_connections set secret = $3, status = 'connected' where id = $1 and connected_at = $2",
        id,
        connected_at,
        secret,
    )


async def put_mapping(pool: Pool, id: str, kind: str, rules: str | None) -> None:
    """Keeps the rules (JSON) for a kind; None goes back to the usual ones."""
    await pool.execute(
        """update crm_connections
           set mapping = case when $3::jsonb is null then mapping - $2
                         else mapping || jsonb_build_object($2, $3::jsonb) end
           where id = $1""",
        id,
        kind,
        rules,
    )


async def put_defaults(pool: Pool, id: str, owner: str | None, list: str | None) -> None:
    """Keeps the owner and the list, by their ids, for what names none."""
    await pool.execute(
        "update crm_connections set default_owner = $2, default_list = $3 where id = $1", id, owner, list
    )


async def sealed(db: Connection | Pool, lock: str = "") -> list[asyncpg.Record]:
    """(id, account_id, secret) of every connection that has one. `lock`: `for update` to change them."""
    return await db.fetch(
        f"select id, account_id, secret from crm_connections where secret is not null order by id {lock}"
    )


async def reseal(db: Connection, id: str, secret: bytes) -> None:
    await db.execute("update crm_connections set secret = $2 where id = $1", id, secret)


async def authorize(db: Connection | Pool, values: Mapping[str, Any]) -> None:
    """Keeps an authorization that begins."""
    await db.execute(
        """insert into crm_authorizations (state, account_id, crm, actor, request_id, options, verifier, session_id)
           values ($1, $2, $3, $4, $5, $6, $7, $8)""",
        *(
            values[name]
            for name in ("state", "account_id", "crm", "actor", "request_id", "options", "verifier", "session_id")
        ),
    )


async def use_authorization(
    db: Connection | Pool, state: bytes, crm: str, session_id: str | None
) -> asyncpg.Record | None:
    """The authorization with this state, once and in time; one that a session began is for that session alone."""
    return await db.fetchrow(
        """update crm_authorizations set used = true
           where state = $1 and crm = $2 and not used and outcome is null
             and began_at > clock_timestamp() - make_interval(secs => $3)
             and (session_id is null or session_id = $4)
           returning account_id, actor, request_id, options, verifier""",
        state,
        crm,
        float(AUTHORIZATION_SECONDS),
        session_id,
    )


async def begun_by(db: Connection | Pool, state: bytes) -> asyncpg.Record | None:
    """(account_id, session_id): who began the authorization with this state."""
    return await db.fetchrow("select account_id, session_id from crm_authorizations where state = $1", state)


async def last_outcome(db: Connection | Pool, session_id: str) -> str | None:
    """How the last authorization that a session began ended; None for one that has not."""
    return await db.fetchval(
        "select outcome from crm_authorizations where session_id = $1 order by began_at desc limit 1", session_id
    )


async def end_authorization(db: Connection | Pool, state: bytes, outcome: str) -> None:
    await db.execute("update crm_authorizations set outcome = $2, verifier = null where state = $1", state, outcome)


async def authorization(db: Connection | Pool, state: bytes) -> asyncpg.Record | None:
    """(outcome, over): how it ended, and whether it can no longer be used."""
    return await db.fetchrow(
        """select outcome, began_at < clock_timestamp() - make_interval(secs => $2) as over
           from crm_authorizations where state = $1""",
        state,
        float(AUTHORIZATION_SECONDS),
    )


async def recall(
    db: Connection | Pool, connection_id: str, kind: str, identities: Sequence[bytes]
) -> list[asyncpg.Record]:
    """(identity, name, record_id, record_kind, fields, age) of the links by these; `age` in seconds."""
    return await db.fetch(
        """select identity, name, record_id, record_kind, fields,
                  extract(epoch from clock_timestamp() - at)::float8 as age
           from crm_links where connection_id = $1 and kind = $2 and identity = any($3)""",
        connection_id,
        kind,
        identities,
    )


async def recall_of_others(
    db: Connection | Pool, connection_id: str, kind: str, identities: Sequence[bytes], seconds: float
) -> list[asyncpg.Record]:
    """As `recall`, of the other connections to the same account of the CRM, in the last `seconds`: one of each."""
    return await db.fetch(
        """select distinct on (identity) identity, name, record_id, record_kind, fields,
                  extract(epoch from clock_timestamp() - at)::float8 as age
           from crm_links
           where connection_id = any(array(
                     select other.id from crm_connections own join crm_connections other using (crm, crm_account_id)
                     where own.id = $1 and other.id <> own.id
                 ))
             and kind = $2 and identity = any($3) and at > clock_timestamp() - make_interval(secs => $4)
           order by identity, record_id is null, at desc""",
        connection_id,
        kind,
        identities,
        seconds,
    )


async def linked_by(
    db: Connection | Pool, connection_id: str, kind: str, names: Sequence[str], ids: Sequence[str]
) -> list[asyncpg.Record]:
    """(identity, name, record_id, fields) of the links of these names to the records."""
    return await db.fetch(
        """select identity, name, record_id, fields from crm_links
           where connection_id = $1 and kind = $2 and name = any($3) and record_id = any($4)""",
        connection_id,
        kind,
        names,
        ids,
    )


async def attempted_by(
    db: Connection | Pool, connection_id: str, kind: str, name: str, identities: Sequence[bytes]
) -> list[asyncpg.Record]:
    """(attempt, identity): the identities of this name of whom the attempts by `identities` were for."""
    return await db.fetch(
        """select attempt.identity as attempt, own.identity
           from crm_links attempt join crm_links own using (connection_id, kind, person)
           where connection_id = $1 and kind = $2 and own.name = $3 and attempt.identity = any($4)
             and attempt.record_id is null""",
        connection_id,
        kind,
        name,
        identities,
    )


async def linked(db: Connection | Pool, connection_id: str, kind: str, ids: Sequence[str]) -> list[asyncpg.Record]:
    """(record_id) of those of the records that have a link, by any connection to the same account of the CRM."""
    return await db.fetch(
        """select distinct record_id from crm_links
           where connection_id = any(array(
                     select other.id from crm_connections own join crm_connections other using (crm, crm_account_id)
                     where own.id = $1
                 ))
             and kind = $2 and record_id = any($3)""",
        connection_id,
        kind,
        ids,
    )


async def link(
    db: Connection | Pool,
    connection_id: str,
    kind: str,
    links: Sequence[tuple[bytes, str, str | None, str | None, bytes, Sequence[str] | None]],
) -> None:
    """Keeps (identity, name, record_id, record_kind, of, fields) while the connection is there; `of` is an identity
    that all of one person have in common, `fields` what was sent and not answered yet. Nothing is kept of somebody who
    asked to be forgotten, which nobody does until the transaction ends; where `record_id` is None, none that is known
    is lost."""
    known = {one[0]: one for one in links}
    identities, names, ids, kinds, people, fields = zip(*(known[one] for one in sorted(known)), strict=True)
    await db.execute(
        """with l as (
               select * from unnest($3::bytea[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::text[])
                   as l (identity, name, record_id, record_kind, person, fields)
           ), gone as materialized (
               select digest from suppressed_among(array(select identity from l union select person from l)) as digest
           ), forgotten as (
               select person from l where identity in (table gone) or person in (table gone)
           )
           insert into crm_links (connection_id, kind, identity, name, record_id, record_kind, person, fields)
           select $1, $2, identity, name, record_id, record_kind, person, fields::jsonb from l
           where person not in (select person from forgotten)
             and exists (select from crm_connections where id = $1 for key share)
           on conflict (connection_id, kind, identity) do update
           set record_id = excluded.record_id, record_kind = excluded.record_kind, person = excluded.person,
               fields = excluded.fields, at = excluded.at
           where excluded.record_id is not null or crm_links.record_id is null""",
        connection_id,
        kind,
        list(identities),
        list(names),
        list(ids),
        list(kinds),
        list(people),
        [None if one is None else msgspec.json.encode(one).decode() for one in fields],
    )


async def unlink(
    db: Connection | Pool, connection_id: str, kind: str, *, ids: Sequence[str] = (), pending: Sequence[bytes] = ()
) -> None:
    """Forgets the links to these records, and what was not answered yet by these identities."""
    await db.execute(
        """delete from crm_links where connection_id = $1 and kind = $2
           and (record_id = any($3) or (fields is not null and identity = any($4)))""",
        connection_id,
        kind,
        list(ids),
        list(pending),
    )


async def part(
    db: Connection | Pool, connection_id: str, kind: str, identities: Sequence[bytes], ids: Sequence[str]
) -> None:
    """Forgets that these identities are these records."""
    await db.execute(
        """delete from crm_links
           where connection_id = $1 and kind = $2 and identity = any($3) and record_id = any($4)""",
        connection_id,
        kind,
        identities,
        ids,
    )


async def delete_old(pool: Pool) -> None:
    """Deletes authorizations that are long over, and what was not answered and nobody has sent again for a day."""
    await pool.execute("delete from crm_authorizations where began_at < clock_timestamp() - interval '1 day'")
    await pool.execute("delete from crm_links where fields is not null and at < clock_timestamp() - interval '1 day'")


async def hold(db: Connection, locks: Sequence[int]) -> None:
    """Takes advisory locks until the transaction ends, always in one order. Raises TimeoutError."""
    await db.execute(
        "select pg_advisory_xact_lock(number) from unnest($1::bigint[]) as number",
        sorted(set(locks)),
        timeout=LOCK_SECONDS,
    )


def json_of(row: asyncpg.Record, column: str) -> Any:
    """A jsonb column's value."""
    return msgspec.json.decode(row[column])
