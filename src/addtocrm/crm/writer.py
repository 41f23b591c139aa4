"""Writing one record so that it is in the CRM once: find, merge, create or update. The caller holds the locks."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from addtocrm.core.errors import invalid
from addtocrm.core.ids import ID
from addtocrm.crm import matching
from addtocrm.crm.connections import Open, OpenForWriting
from addtocrm.crm.contract import CUSTOM, Capability, Kind, Record, Value, Values
from addtocrm.crm.merge import OnConflict, merge
from addtocrm.crm.model import Action


class Written(msgspec.Struct):
    """`record` is None only where a dry run would make it."""

    record: Record | None
    action: Action
    fields: list[str]
    kept: list[str]

    @property
    def id(self) -> str | None:
        return self.record.id if self.record else None

    @property
    def url(self) -> str | None:
        return self.record.url if self.record else None

    def also(self, field: str) -> None:
        """Counts something written beside the record's own fields."""
        self.fields.append(field)
        if self.action == "unchanged":
            self.action = "updated"


async def find(crm: Open, kind: Kind, values: Mapping[str, Any]) -> matching.Choice:
    """Which record of the CRM `values` describe."""
    return matching.choose(kind, values, await crm.connector.find(kind, values))


async def write(
    crm: OpenForWriting,
    kind: Kind,
    choice: matching.Choice,
    values: Mapping[str, Any],
    on_conflict: OnConflict,
    *,
    empty: Sequence[str] = (),
    dry_run: bool,
) -> Written:
    """Creates the record of `choice`, or merges `values` into it and empties the fields `empty`; fields that the CRM
    has no place for are left."""
    mapping = crm.definition.mapping[kind]
    known = {name: value for name, value in values.items() if name in mapping or name.startswith(CUSTOM)}
    free = {name: value for name, value in known.items() if name not in choice.taken}
    there = choice.record
    has: Values = there.values if there else {}
    merged = merge(has, free, on_conflict if there else "overwrite")
    changes: dict[str, Value | None] = {**merged.write, **{name: None for name in empty if name in mapping}}
    other = [name for name in known if name in merged.kept or (name in choice.taken and has.get(name) != known[name])]
    kept = [name for name in other if name not in matching.KEYS[kind] or not matching.same_key(name, known, has)]
    fields = list(changes)
    crm.check()
    if there is None:
        record = None if dry_run else await crm.connector.create(kind, merged.write)
        return Written(record, "created", fields, kept)
    if on_conflict == "skip":
        return Written(there, "skipped", [], kept)
    if not fields:
        return Written(there, "unchanged", [], kept)
    record = there if dry_run else await crm.connector.update(kind, there.id, changes)
    return Written(record, "updated", fields, kept)


def require(crm: Open, capability: Capability, path: str) -> None:
    """Raises ApiError where the CRM cannot do this; `path` is what asks for it."""
    if capability not in crm.definition.capabilities:
        raise invalid(path, f"{crm.definition.label} takes no {capability} through AddToCRM.")


async def check_custom(crm: Open, kind: Kind, values: Mapping[str, Any]) -> None:
    """Raises ApiError for a custom field that the CRM does not have."""
    names = [name.removeprefix(CUSTOM) for name in values if name.startswith(CUSTOM)]
    capabilities = crm.definition.capabilities
    if not names or "open_custom_fields" in capabilities:
        return
    if "custom_fields" not in capabilities:
        raise invalid("custom_fields", f"{crm.definition.label} takes none.")
    writable = {field.name for field in await crm.connector.fields(kind) if field.writable}
    for name in names:
        if name not in writable:
            raise invalid(CUSTOM + name, "is no field that can be written; see GET /v1/crm/fields.")


async def owner_id(crm: Open, reference: str | None) -> str | None:
    """The id of the owner that is meant by id or e-mail. Raises ApiError for one that there is not."""
    if reference is None:
        return None
    if "owners" in crm.definition.capabilities:
        for owner in await crm.connector.owners():
            if reference == owner.id or reference.strip().casefold() == (owner.email or "").casefold():
                return owner.id
    raise invalid("owner", "is no owner of the CRM; see GET /v1/crm/owners.")


async def put_on_list(crm: OpenForWriting, reference: str, written: Written, *, dry_run: bool) -> None:
    """Puts the contact on the list that is meant by id or name, and makes it where the CRM can. Raises ApiError."""
    capabilities = crm.definition.capabilities
    lists = await crm.connector.lists() if "lists" in capabilities else []
    name = reference.strip()
    found = next((one for one in lists if name == one.id or name.casefold() == one.name.casefold()), None)
    if found is None and ("create_lists" not in capabilities or not name or ID.fullmatch(name)):
        raise invalid("list", "is no list of the CRM; see GET /v1/crm/lists.")
    if found and written.id and await crm.connector.in_list(found.id, written.id):
        return
    if not dry_run and written.id:
        crm.check()
        found = found or await crm.connector.create_list(name)
        await crm.connector.add_to_list(found.id, written.id)
    written.also("list")


async def attach_note(crm: OpenForWriting, text: str, written: Written, *, dry_run: bool) -> None:
    """Writes the note unless the contact has it already."""
    if written.id and await crm.connector.has_note(written.id, text):
        return
    if not dry_run and written.id:
        crm.check()
        await crm.connector.add_note(written.id, text)
    written.also("note")
