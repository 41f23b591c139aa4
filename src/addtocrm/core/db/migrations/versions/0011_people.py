"""Who is spoken of where, so that a person is found in every place by an index; a keyed suppression list; counters."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from alembic import op
from sqlalchemy import Row, text

from addtocrm.core import identifiers
from addtocrm.core.individuals import digest, digests, individual, mentioned, spoken_of

revision = "0011"
down_revision = "0010"

SUBJECTS = """
alter table list_members add column subjects bytea[];
alter table job_items add column subjects bytea[];
alter table crm_contacts
    add column subjects bytea[], add column mentions bytea[], add column company_key text collate "C";
alter table crm_companies add column mentions bytea[];
alter table crm_notes add column mentions bytea[];
alter table crm_tasks add column mentions bytea[];
create function digests_of(packed json) returns bytea[] language sql immutable as $$
    select array_agg(decode(one, 'hex')) from json_array_elements_text(packed) as one
$$;
comment on function digests_of is 'an array of hexadecimal texts as subjects have it; null where it is empty';
comment on column crm_contacts.mentions is 'whom its free texts mention: the SHA-256 of each identifier';
"""

# Without `fastupdate` a write sorts itself in at once: nobody has to work off a long list of others' writes.
INDEXES = """
create index on results using gin (subjects) with (fastupdate = off);
create index on events using gin (subjects) with (fastupdate = off);
create index on list_members using gin (subjects) with (fastupdate = off);
create index on job_items using gin (subjects) with (fastupdate = off);
create index on crm_contacts using gin (subjects) with (fastupdate = off);
create index on crm_contacts using gin (mentions) with (fastupdate = off);
create index on crm_companies using gin (mentions) with (fastupdate = off);
create index on crm_notes using gin (mentions) with (fastupdate = off);
create index on crm_tasks using gin (mentions) with (fastupdate = off);
create index people_more_emails on people using gin (jsonb_path_query_array(data, '$.emails[*].email'))
    where jsonb_path_exists(data, '$.emails[1]');
drop index crm_contacts_account_id_name_key_idx;
create index on crm_contacts (account_id, name_key, company_key, id);
create index on crm_contacts (account_id, name_key, company_domain, id);
drop index crm_companies_account_id_name_key_idx;
create index on crm_companies (account_id, name_key, id);
"""

LIST = """
create table suppression_key (
    single boolean primary key default true check (single),
    sealed bytea not null,
    fingerprint bytea not null
);
comment on table suppression_key is 'what the hashes of suppressions are keyed with, sealed by addtocrm.core.secrets';
comment on column suppressions.hash is 'HMAC of the SHA-256 of an identifier (see suppression_hash)';

create function suppression_pads() returns bytea language sql stable as $$
    select decode(nullif(current_setting('addtocrm.suppression_key', true), ''), 'hex')
$$;
comment on function suppression_pads is 'the key that the session was opened with, as HMAC''s two pads (RFC 2104)';

create function suppression_hash(digest bytea) returns bytea language sql stable as $$
    select sha256(substr(suppression_pads(), 65) || sha256(substr(suppression_pads(), 1, 64) || digest))
$$;
comment on function suppression_hash is 'HMAC-SHA-256 (RFC 2104) under the key of the session';

create function suppression_check() returns boolean language plpgsql as $$
begin
    perform suppression_lock();
    if not exists (select from suppressions) then
        return false;
    end if;
    if not exists (select from suppression_key where fingerprint = sha256(suppression_pads())) then
        raise exception 'the key of the suppression list is not known to this process; see `addtocrm doctor`';
    end if;
    return true;
end $$;
comment on function suppression_check is 'whether anybody is on the list; nobody is added until the transaction ends';

create or replace function is_suppressed(hashes bytea[]) returns boolean language plpgsql as $$
begin
    if hashes is null or hashes = '{}' or not suppression_check() then
        return false;
    end if;
    return exists (select from suppressions where hash = any(array(select suppression_hash(unnest(hashes)))));
end $$;
"""

COUNTERS = """
alter table lists add column members int not null default 0;
update lists l set members = m.members
from (select list_id, count(*)::int as members from list_members group by list_id) m where m.list_id = l.id;
create function lists_count() returns trigger language plpgsql as $$
begin
    update lists l set members = l.members + c.members
    from (select list_id, case tg_op when 'INSERT' then count(*) else -count(*) end::int as members
          from changed group by list_id) c
    where c.list_id = l.id;
    return null;
end $$;
create trigger count_added after insert on list_members referencing new table as changed
    for each statement execute function lists_count();
create trigger count_removed after delete on list_members referencing old table as changed
    for each statement execute function lists_count();

create table crm_custom_fields (
    account_id text collate "C" not null,
    kind text not null check (kind in ('contact', 'company')),
    name text collate "C" not null,
    type text not null,
    primary key (account_id, kind, name)
);
comment on table crm_custom_fields is 'the custom fields that contacts and companies of the built-in CRM have had';
insert into crm_custom_fields (account_id, kind, name, type)
select distinct on (account_id, key) account_id, 'contact', key, json_typeof(custom -> key)
from crm_contacts, json_object_keys(custom) as key
union all
select distinct on (account_id, key) account_id, 'company', key, json_typeof(custom -> key)
from crm_companies, json_object_keys(custom) as key;
"""

EMPLOYMENT = """
create function works_elsewhere(domain text, company text, new_domain text, new_company text) returns boolean
language sql immutable as $$
    select (domain is not null or company is not null) and (new_domain is not null or new_company is not null)
        and case when domain is not null and new_domain is not null then domain <> new_domain
                 else company is null or company is distinct from new_company end
$$;
comment on function works_elsewhere is 'whether two rows of a person name different employers, each by domain and key';

create function merged_person(data jsonb, new jsonb, elsewhere boolean) returns jsonb language sql immutable as $$
    select case when elsewhere then data - '{company,job_title,seniority,department}'::text[] else data end || new
        || case when elsewhere or not (data ? 'company' and new ? 'company') then '{}'
                else jsonb_build_object('company', (data -> 'company') || (new -> 'company')) end
$$;
comment on function merged_person is 'what a person''s data becomes by a new row; an employment is one thing';
"""

Change = Mapping[str, Any]
CHUNK = 2000
STREAMED: Any = {"execution_options": {"stream_results": True}}


def upgrade() -> None:
    op.execute(SUBJECTS)
    op.execute(LIST)
    op.execute(COUNTERS)
    op.execute(EMPLOYMENT)
    _each("list_members", "id, person", "true", lambda row: {"subjects": digests(spoken_of(row.person))})
    _each("job_items", "job_id, position, input, result", "true", lambda row: {"subjects": _of_item(row)})
    for feed in ("events", "events_outbox"):
        about_people = "type in ('person.enriched', 'email.verified')"
        _each(feed, "id, data", about_people, lambda row: {"subjects": digests(spoken_of(row.data))})
    _each("crm_contacts", "id, linkedin_url, email, other_emails, company_name, headline, custom", "true", _of_contact)
    _each("crm_companies", "id, description, custom", "true", lambda row: _mentions(row.description, *_texts(row)))
    _each("crm_notes", "id, text", "true", lambda row: _mentions(row.text))
    _each("crm_tasks", "id, title, description", "true", lambda row: _mentions(row.title, row.description))
    _results()
    _people()
    _identities()
    op.execute(INDEXES)


def _each(table: str, columns: str, where: str, change: Callable[[Row[Any]], Change]) -> None:
    """Sets what `change` gives for each row, some rows at a time; an empty list is none."""
    connection = op.get_bind()
    rows = connection.execute(text(f"select ctid::text as ctid, {columns} from {table} where {where}"), **STREAMED)
    for some in rows.partitions(CHUNK):
        changes = [{"ctid": row.ctid, **{k: v or None for k, v in change(row).items()}} for row in some]
        changes = [one for one in changes if any(value is not None for name, value in one.items() if name != "ctid")]
        if changes:
            sets = ", ".join(f"{name} = :{name}" for name in changes[0] if name != "ctid")
            connection.execute(text(f"update {table} set {sets} where ctid = cast(:ctid as tid)"), changes)


def _of_item(row: Row[Any]) -> list[bytes]:
    return digests([*spoken_of(row.input), *spoken_of(row.result)])


def _texts(row: Row[Any]) -> Iterable[str]:
    return (str(value) for value in row.custom.values())


def _mentions(*texts: str | None) -> Change:
    return {"mentions": [digest(one) for one in sorted({name for one in texts for name in mentioned(one or "")})]}


def _of_contact(row: Row[Any]) -> Change:
    return {
        "subjects": digests([individual(row.linkedin_url, [row.email, *row.other_emails])]),
        "company_key": identifiers.company_key(row.company_name or ""),
        **_mentions(row.headline, *_texts(row)),
    }


def _results() -> None:
    """Results know whom they are about; those of an address are found by its key."""
    connection = op.get_bind()
    op.execute("alter table results disable trigger user")
    _each(
        "results",
        "data",
        "operation <> 'companies.lookup'",
        lambda row: {"subjects": digests(spoken_of(row.data))},
    )
    rows = connection.execute(
        text(
            """select account_id, operation, lookup_key from results
               where operation in ('emails.verify', 'people.enrich') and lookup_key ~ '@.*[^ -~]|[A-Z].*@|[^ -~].*@'"""
        ),
        **STREAMED,
    )
    for some in rows.partitions(CHUNK):
        for row in some:
            new = _key(row.lookup_key, identifiers.email if row.operation == "emails.verify" else identifiers.email_key)
            if new and new != row.lookup_key:
                connection.execute(
                    text(
                        """with moved as (delete from results
                               where (account_id, operation, lookup_key) = (:account_id, :operation, :lookup_key)
                               returning *)
                           insert into results
                               (account_id, operation, lookup_key, data, created_at, expires_at, subjects)
                           select account_id, operation, :new, data, created_at, expires_at, subjects from moved
                           on conflict do nothing"""
                    ),
                    {**_where(row), "new": new},
                )
    op.execute("alter table results enable trigger user")


def _where(row: Row[Any]) -> Change:
    return {"account_id": row.account_id, "operation": row.operation, "lookup_key": row.lookup_key}


def _people() -> None:
    """An address is found by its key; two people that were known by spellings of one become one."""
    connection = op.get_bind()
    rows = connection.execute(text("select id, identity, email from people where email ~ '[A-Z]|[^ -~]'"), **STREAMED)
    for some in rows.partitions(CHUNK):
        for row in some:
            key = _key(row.email, identifiers.email_key)
            if not key:
                continue
            connection.execute(text("update people set email = :key where id = :id"), {"key": key, "id": row.id})
            if row.identity == f"em:{row.email}":
                known = {"identity": f"em:{key}", "id": row.id}
                other = connection.execute(
                    text("delete from people where identity = :identity and id <> :id returning data::text"), known
                ).scalar()
                connection.execute(
                    text("update people set identity = :identity, data = cast(:other as jsonb) || data where id = :id"),
                    {**known, "other": other or "{}"},
                )


def _identities() -> None:
    """Two people with one address and no URL are told apart by their names."""
    op.execute("comment on column people.identity is 'in:<slug>, else em:<address>|<name>, else nc:<name>|<company>'")
    op.execute(
        """update people set identity = identity || '|' || name_key
           where identity like 'em:%' and name_key is not null and position('|' in identity) = 0"""
    )


def _key(address: str, normalise: Callable[[str], str]) -> str | None:
    try:
        return normalise(address)
    except ValueError:
        return None
