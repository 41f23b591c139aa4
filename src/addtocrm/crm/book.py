"""The built-in CRM as people page through it, search it and edit it."""

import re
from collections.abc import Mapping
from typing import Any

import asyncpg
import msgspec

from addtocrm.core import cursors, identifiers
from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.crm import book_store as store
from addtocrm.crm import values
from addtocrm.crm.connectors.builtin import connector
from addtocrm.crm.contract import Fields, Update, Value
from addtocrm.crm.kinds import Among
from addtocrm.crm.merge import PLACE
from addtocrm.crm.model import CompanyInput, LocationInput, PersonInput, PhoneInput
from addtocrm.crm.opening import Expected, writing
from addtocrm.crm.piece import Piece
from addtocrm.crm.setup import Setup
from addtocrm.crm.telling import tell
from addtocrm.privacy.service import subjects

LONGEST = 200
"""Characters of a search; nothing has so many."""
APART = re.compile(r"[\s.,;:@/_+()-]+")
MOST, MOST_TEXT = 500, 2_000
SHOWN = 100
"""Notes and tasks of a contact."""
CONTACT: Mapping[str, str] = {
    "first_name": "First name",
    "last_name": "Last name",
    "full_name": "Full name",
    "email": "Email",
    "phone": "Phone",
    "linkedin_url": "LinkedIn URL",
    "headline": "Headline",
    "job_title": "Job title",
    "seniority": "Seniority",
    "department": "Department",
    "company_name": "Company",
    "company_domain": "Company domain",
    "city": "City",
    "region": "Region",
    "country": "Country",
}
COMPANY: Mapping[str, str] = {
    "name": "Name",
    "domain": "Domain",
    "website": "Website",
    "linkedin_url": "LinkedIn URL",
    "industry": "Industry",
    "size": "Size",
    "type": "Type",
    "description": "Description",
    "phone": "Phone",
    "city": "City",
    "region": "Region",
    "country": "Country",
}
EDITED: Mapping[Among, Mapping[str, str]] = {"contact": CONTACT, "company": COMPANY}
"""What people edit, by what it is called."""

NEEDED: Mapping[Among, tuple[str, ...]] = {
    "contact": ("full_name", "first_name", "last_name", "email", "linkedin_url"),
    "company": ("name", "domain", "linkedin_url"),
}
NEEDS: Mapping[Among, str] = {
    "contact": "A contact needs a name, an email or a LinkedIn URL.",
    "company": "A company needs a name, a domain or a LinkedIn URL.",
}


class Entry(msgspec.Struct, frozen=True):
    """A record as the pages show it. `version` is the time of its last change."""

    id: str
    fields: dict[str, Any]
    custom: dict[str, Any]
    company_id: str | None
    version: str


class Changed(Exception):
    """Somebody changed the record meanwhile; nothing was written."""


async def page(
    pool: Pool, account_id: str, kind: Among, find: str, cursor: str | None, limit: int
) -> tuple[list[Entry], str | None]:
    """A page of the records that a search finds: each of its words begins one of the name, the email, the company or
    the domain."""
    words = words_of(find[: LONGEST + 1])
    if find and (len(find) > LONGEST or "\0" in find or not words):
        return [], None
    after = cursors.decode(cursor, str) if cursor else ""
    rows = await store.page(pool, account_id, kind, words, after, limit + 1)
    return _page(kind, rows, limit)


async def one(pool: Pool, account_id: str, kind: Among, id: str) -> Entry:
    """Raises ApiError `not_found`."""
    row = await store.one(pool, account_id, kind, id)
    if row is None:
        raise ApiError("not_found", f"There is no such {kind} in the built-in CRM.")
    return _entry(kind, row)


async def contacts_of(
    pool: Pool, account_id: str, company_id: str, cursor: str | None, limit: int
) -> tuple[list[Entry], str | None]:
    """A page of a company's contacts."""
    after = cursors.decode(cursor, str) if cursor else ""
    rows = await store.contacts_of(pool, account_id, company_id, after, limit + 1)
    return _page("contact", rows, limit)


async def notes(pool: Pool, contact_id: str) -> list[asyncpg.Record]:
    """(text, created_at) of the latest notes on a contact."""
    return await store.notes(pool, contact_id, SHOWN)


async def tasks(pool: Pool, contact_id: str) -> list[asyncpg.Record]:
    """(title, description, due_at, created_at) of the latest tasks about a contact."""
    return await store.tasks(pool, contact_id, SHOWN)


async def edit(setup: Setup, caller: Caller, kind: Among, id: str, version: str, given: Mapping[str, str]) -> None:
    """Changes the fields of a record to what is `given`; an empty text empties one.

    Raises Changed where it is not of that `version` any more, and ApiError for what a field cannot have, where there is
    no such record, and where another CRM is active.
    """
    wanted = normal(kind, given)
    about = [] if kind == "company" else [_subjects(wanted)]
    async with writing(setup, caller.account_id, Expected(connector.name)) as crm:
        await crm.hold(crm.locks(kind, {name: value for name, value in wanted.items() if value is not None}))
        await crm.refuse_forgotten(about, "")
        record = (await crm.connector.get(kind, [id])).get(id)
        if record is None:
            raise ApiError("not_found", f"There is no such {kind} in the built-in CRM.")
        if record.version != version:
            raise Changed
        changes = _changes(kind, record.fields, wanted)
        if changes:
            await crm.connector.update(kind, [Update(record, changes)])
            piece = Piece(kind=kind, values={}, action="updated", fields=list(changes), record=record)
            tell(crm, caller, kind, piece, dry_run=False)


def _changes(kind: Among, there: Fields, wanted: Mapping[str, Value | None]) -> dict[str, Value | None]:
    """What is to be written over `there`. A full name follows its parts, and the link to a company ends where the
    contact has another one."""
    changed = {name: value for name, value in wanted.items() if value != there.get(name)}
    if kind == "contact" and "full_name" not in changed and not changed.keys().isdisjoint(("first_name", "last_name")):
        changed["full_name"] = " ".join(str(one) for one in (wanted["first_name"], wanted["last_name"]) if one) or None
    if there.get("company_id") and not changed.keys().isdisjoint(("company_name", "company_domain")):
        changed["company_id"] = None
    return changed


def _subjects(wanted: Mapping[str, Any]) -> list[bytes]:
    return list(subjects(wanted["linkedin_url"], [wanted["email"]], wanted["full_name"] or ""))


def normal(kind: Among, given: Mapping[str, str]) -> dict[str, Value | None]:
    """The fields in their normal form, None for an empty one. Raises ApiError that names the field."""
    texts = {name: given.get(name, "").replace("\0", "").strip() or None for name in EDITED[kind]}
    place = LocationInput(texts["city"], texts["region"], texts["country"])
    for name, text in texts.items():
        if text and len(text) > (MOST_TEXT if name in ("description", "headline") else MOST):
            raise invalid(name, f"is longer than {MOST:,} characters.")
    if not any(texts.get(name) for name in NEEDED[kind]):
        raise invalid("", NEEDS[kind])
    own: dict[str, Any] = {name: text for name, text in texts.items() if name not in (*PLACE, "phone")}
    own |= {"location": place, "phones": [PhoneInput(texts["phone"])]}
    company = kind == "company"
    found = values.of_company(CompanyInput(**own), "") if company else values.of_person(PersonInput(**own), "")
    return {name: found.get(name) for name in EDITED[kind]}


def words_of(text: str) -> list[str]:
    """What a search looks for, in the plain form of names."""
    return list(dict.fromkeys(word for part in APART.split(text) for word in identifiers.name_key(part).split()))


def _page(kind: Among, rows: list[asyncpg.Record], limit: int) -> tuple[list[Entry], str | None]:
    shown = [_entry(kind, row) for row in rows[:limit]]
    return shown, cursors.encode(shown[-1].id) if len(rows) > limit else None


def _entry(kind: Among, row: asyncpg.Record) -> Entry:
    names = values.CONTACT_FIELDS if kind == "contact" else values.COMPANY_FIELDS
    fields = {name: row[name] for name in names if row[name] not in (None, [])}
    custom = msgspec.json.decode(row["custom"])
    return Entry(row["id"], fields, custom, fields.get("company_id"), row["updated_at"].isoformat())
