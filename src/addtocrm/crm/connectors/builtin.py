"""The built-in CRM: contacts, companies, notes, tasks, owners and lists in our own database."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from addtocrm.core.ids import new_id
from addtocrm.core.individuals import digest, digests, spoken_of
from addtocrm.crm import matching
from addtocrm.crm.contract import (
    CUSTOM,
    Access,
    Changes,
    CrmAccount,
    CrmList,
    Definition,
    Field,
    Fields,
    Found,
    Owner,
    Record,
    Rule,
    Sought,
    Task,
    Update,
    Value,
    Values,
)
from addtocrm.crm.failures import Failure, NotFound, Rejected
from addtocrm.crm.kinds import Kind
from addtocrm.crm.mapping import LISTS
from addtocrm.crm.values import COMPANY_FIELDS, CONTACT_FIELDS
from addtocrm.privacy.service import mentions

TABLE: Mapping[Kind, str] = {"contact": "crm_contacts", "company": "crm_companies"}
PREFIX: Mapping[Kind, str] = {"contact": "cco", "company": "cca"}
PAGE: Mapping[Kind, str] = {"contact": "contacts", "company": "companies"}
FIELDS: Mapping[Kind, tuple[str, ...]] = {"contact": CONTACT_FIELDS, "company": COMPANY_FIELDS}
NUMBERS = frozenset({"employee_count", "founded_year"})
FREE_TEXTS = frozenset({"headline", "description"})
REFERENCES = frozenset({"company_id", "owner"})
KEYED: Mapping[Kind, str] = {
    "contact": "linkedin_url = $2 or lower(email) = $3 or subjects && $7::bytea[]",
    "company": "domain = $2 or linkedin_url = $3",
}
NAMED: Mapping[Kind, Sequence[str]] = {
    "contact": (
        "name_key = $4 and company_domain = $5",
        "name_key = $4 and company_key = $6 and (company_domain is null or $5::text is null)",
        "name_key = $4 and $5 is null and $6 is null and company_key is null and company_domain is null",
    ),
    "company": ("name_key = $4",),
}
"""Those of the same name, each by an index of its own, which gives the oldest first."""
KEYLESS: Mapping[Kind, str] = {
    "contact": "linkedin_url is null and email is null",
    "company": "domain is null and linkedin_url is null",
}
NAMESAKES = 5
"""So many of one name's key are read: two are enough, but for those whom other Han characters tell apart."""


class Builtin:
    """The Connector of one account."""

    def __init__(self, access: Access) -> None:
        self._db = access.db
        self._account = access.account_id
        self._url = access.settings.base_url
        self._lock = "for no key update" if access.writing else ""

    async def info(self) -> CrmAccount:
        """The account itself; it becomes the default owner."""
        email = await self._db.fetchval("select email from accounts where id = $1", self._account)
        await self._db.execute(
            """insert into crm_owners (id, account_id, email, is_default) values ($1, $2, $3, true)
               on conflict do nothing""",
            new_id("cow"),
            self._account,
            email,
        )
        return CrmAccount(self._account, email)

    async def fields(self, kind: Kind) -> list[Field]:
        standard = [Field(name=name, label=_label(name), type=_type(name)) for name in FIELDS[kind]]
        rows = await self._db.fetch(
            "select name as key, type from crm_custom_fields where account_id = $1 and kind = $2 order by name",
            self._account,
            kind,
        )
        types: dict[str, Any] = {"string": "text", "array": "list"}
        custom = [
            Field(name=row["key"], label=row["key"], type=types.get(row["type"], row["type"]), custom=True)
            for row in rows
        ]
        return standard + custom

    async def owners(self) -> list[Owner]:
        rows = await self._db.fetch(
            "select id, email, name, is_default from crm_owners where account_id = $1 order by id", self._account
        )
        return [Owner(**row) for row in rows]

    async def lists(self) -> list[CrmList]:
        rows = await self._db.fetch("select id, name from crm_lists where account_id = $1 order by id", self._account)
        return [CrmList(**row) for row in rows]

    async def find(self, kind: Kind, sought: Sequence[Sought]) -> Found:
        found: dict[str, Record] = {}
        for one in sought:
            rows = await self._db.fetch(
                f"select * from {TABLE[kind]} where id = any(array({CANDIDATES[kind]})) order by id {self._lock}",
                *candidate_arguments(self._account, kind, one.values),
            )
            found |= {row["id"]: self._record(kind, row) for row in rows}
        return Found(found.values())

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        rows = await self._db.fetch(
            f"select * from {TABLE[kind]} where account_id = $1 and id = any($2) order by id {self._lock}",
            self._account,
            list(ids),
        )
        return {row["id"]: self._record(kind, row) for row in rows}

    async def _require(self, kind: Kind, id: str) -> Record:
        found = await self.get(kind, [id])
        if not found:
            raise NotFound(f"{kind} {id}")
        return found[id]

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        rows = await self._db.fetch(
            f"select * from {TABLE[kind]} where account_id = $1 and id > $2 order by id limit $3",
            self._account,
            after or "",
            limit,
        )
        return [self._record(kind, row) for row in rows]

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        return [await self._create(kind, row) for row in rows]

    async def _create(self, kind: Kind, values: Fields) -> Record:
        id = new_id(PREFIX[kind])
        columns = {"id": id, "account_id": self._account, **_columns(kind, values, {})}
        if "owner" not in columns:
            columns["owner"] = await self._db.fetchval(
                "select id from crm_owners where account_id = $1 and is_default", self._account
            )
        marks = ", ".join(f"${position}" for position in range(1, len(columns) + 1))
        row = await self._write(
            f"insert into {TABLE[kind]} ({', '.join(columns)}) values ({marks}) returning *", columns
        )
        await self._know_fields(kind, values)
        return self._record(kind, row)

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        return [await self._update(kind, one.record.id, one.changes) for one in updates]

    async def _update(self, kind: Kind, id: str, values: Changes) -> Record:
        columns = _columns(kind, values, (await self._require(kind, id)).fields)
        changes = ", ".join(f"{name} = ${position}" for position, name in enumerate(columns, 3))
        row = await self._write(
            f"""update {TABLE[kind]} set {changes}, updated_at = clock_timestamp()
                where account_id = $1 and id = $2 returning *""",
            {"account_id": self._account, "id": id, **columns},
        )
        await self._know_fields(kind, values)
        return self._record(kind, row)

    async def _know_fields(self, kind: Kind, values: Changes) -> None:
        """Keeps which custom fields there are, always in one order, so that no two writers wait for each other."""
        custom = sorted((name.removeprefix(CUSTOM), value) for name, value in values.items() if name.startswith(CUSTOM))
        if custom:
            await self._db.execute(
                """insert into crm_custom_fields (account_id, kind, name, type)
                   select $1, $2, name, type from unnest($3::text[], $4::text[]) as f (name, type)
                   on conflict do nothing""",
                self._account,
                kind,
                [name for name, _ in custom],
                [_json_type(value) for _, value in custom],
            )

    async def _write(self, statement: str, columns: Mapping[str, Any]) -> asyncpg.Record:
        try:
            row = await self._db.fetchrow(statement, *columns.values())
        except asyncpg.UniqueViolationError as error:
            name = next((one for one in ("linkedin_url", "email", "domain") if one in (error.detail or "")), "")
            raise Rejected(name, "belongs to another record of the CRM already.") from None
        except asyncpg.ForeignKeyViolationError as error:
            name = next((one for one in REFERENCES if f"({one})" in (error.detail or "")), "")
            raise Rejected(name, "is not in the CRM.") from None
        assert row is not None
        return row

    async def create_field(self, kind: Kind, field: Field) -> Field:
        raise NotImplementedError  # It is made by naming it.

    async def add_note(self, contact_id: str, text: str) -> str:
        await self._require("contact", contact_id)
        id = new_id("cno")
        await self._db.execute(
            "insert into crm_notes (id, account_id, contact_id, text, mentions) values ($1, $2, $3, $4, $5)",
            id,
            self._account,
            contact_id,
            text,
            mentions(text) or None,
        )
        return id

    async def has_note(self, contact_id: str, text: str) -> bool:
        found = await self._db.fetchval(
            "select exists (select from crm_notes where account_id = $1 and contact_id = $2 and text = $3)",
            self._account,
            contact_id,
            text,
        )
        return bool(found)

    async def add_task(self, contact_id: str, task: Task) -> str:
        await self._require("contact", contact_id)
        id = new_id("cta")
        await self._db.execute(
            """insert into crm_tasks (id, account_id, contact_id, title, description, due_at, owner, mentions)
               values ($1, $2, $3, $4, $5, $6, $7, $8)""",
            id,
            self._account,
            contact_id,
            task.title,
            task.description,
            task.due_at,
            task.owner,
            mentions(task.title, task.description) or None,
        )
        return id

    async def create_list(self, name: str) -> CrmList:
        row = await self._db.fetchrow(
            """insert into crm_lists (id, account_id, name) values ($1, $2, $3)
               on conflict (account_id, lower(name)) do update set name = crm_lists.name returning id, name""",
            new_id("cli"),
            self._account,
            name,
        )
        assert row is not None
        return CrmList(**row)

    async def in_list(self, list_id: str, contact_ids: Sequence[str]) -> set[str]:
        rows = await self._db.fetch(
            "select contact_id from crm_list_members where list_id = $1 and contact_id = any($2)",
            list_id,
            list(contact_ids),
        )
        return {row["contact_id"] for row in rows}

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        await self._db.execute(
            """insert into crm_list_members (list_id, contact_id)
               select l.id, c.id from crm_lists l, crm_contacts c
               where l.id = $1 and c.id = any($2) and l.account_id = $3 and c.account_id = $3
               on conflict do nothing""",
            list_id,
            list(contact_ids),
            self._account,
        )

    def _record(self, kind: Kind, row: asyncpg.Record) -> Record:
        values = {name: row[name] for name in FIELDS[kind] if row[name] not in (None, [])}
        custom: dict[str, Any] = msgspec.json.decode(row["custom"])
        values |= {CUSTOM + name: value for name, value in custom.items()}
        url = f"{self._url}/dashboard/{PAGE[kind]}/{row['id']}"
        return Record(kind=kind, id=row["id"], url=url, fields=values, version=row["updated_at"].isoformat())


def _candidates(kind: Kind) -> str:
    """The ids of who could be meant: by a key, and a few of the same name; each part is found by an index alone."""
    table = f"select id from {TABLE[kind]} where account_id = $1"
    parts = [f"{table} and ({KEYED[kind]})"]
    for named in NAMED[kind]:
        parts.append(f"(select id from ({table} and {named} order by id limit {NAMESAKES}) as n)")
        parts.append(f"(select id from ({table} and {named} and {KEYLESS[kind]} order by id limit {NAMESAKES}) as n)")
    return " union ".join(parts)


CANDIDATES: Mapping[Kind, str] = {kind: _candidates(kind) for kind in TABLE}


def candidate_arguments(account_id: str, kind: Kind, values: Values) -> list[Any]:
    """What the statement of `CANDIDATES[kind]` takes."""
    keys = [matching.key(name, values) or None for name in matching.KEYS[kind]]
    named = [matching.name_key(kind, values) or None]
    if kind == "company":
        return [account_id, *keys, *named]
    domain, company = str(values.get("company_domain") or "") or None, matching.company_key(values) or None
    addresses = [digest(f"email:{one}") for one in sorted(matching.keys("email", values))]
    return [account_id, *keys, *named, domain, company, addresses]


def _columns(kind: Kind, values: Changes, there: Fields) -> dict[str, Any]:
    """The columns to write `values` over `there`."""
    columns: dict[str, Any] = {name: value for name, value in values.items() if name in FIELDS[kind]}
    after: Fields = {name: value for name, value in {**there, **values}.items() if value is not None}
    custom = {name.removeprefix(CUSTOM): value for name, value in after.items() if name.startswith(CUSTOM)}
    columns["custom"] = msgspec.json.encode(custom).decode()
    columns["name_key"] = matching.name_key(kind, after)
    texts = [str(value) for name, value in after.items() if name in FREE_TEXTS or name.startswith(CUSTOM)]
    columns["mentions"] = mentions(*texts) or None
    if kind == "contact":
        columns["company_key"] = matching.company_key(after) or None
        columns["subjects"] = digests(spoken_of(dict(after))) or None
    return columns


def _json_type(value: Value | None) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "array" if isinstance(value, list) else "string" if isinstance(value, str) else "number"


def _label(name: str) -> str:
    return name.replace("_", " ").capitalize().replace("Linkedin", "LinkedIn").replace(" url", " URL")


def _type(name: str) -> Any:
    if name in LISTS:
        return "list"
    if name in NUMBERS:
        return "number"
    return "reference" if name in REFERENCES else "text"


connector = Definition(
    name="builtin",
    label="Built-in CRM",
    needs="Nothing else. Contacts and companies are kept here, in AddToCRM.",
    vendor=None,
    capabilities=(
        "contacts",
        "companies",
        "notes",
        "tasks",
        "owners",
        "lists",
        "create_lists",
        "custom_fields",
        "open_custom_fields",
    ),
    mapping={kind: tuple(Rule(field=name, from_=(name,)) for name in names) for kind, names in FIELDS.items()},
    open=Builtin,
)
