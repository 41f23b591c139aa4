"""What is written beside a record's own fields, and what of a request needs the CRM to be understood."""

from collections.abc import Sequence

from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.ids import ID
from addtocrm.crm import known, matching
from addtocrm.crm.contract import CUSTOM, Capability, CrmList, Values
from addtocrm.crm.failures import NotFound
from addtocrm.crm.opening import Open, OpenForWriting
from addtocrm.crm.piece import Piece

CHOOSE = "Choose another one at Connection in the dashboard."


def require(crm: Open, capability: Capability, path: str) -> None:
    """Raises ApiError where the CRM cannot do this; `path` is what asks for it."""
    if capability not in crm.definition.capabilities:
        raise invalid(path, f"{crm.definition.label} takes no {capability} through AddToCRM.")


def check_custom(crm: Open, values: Values) -> None:
    """Raises ApiError for a custom field where the CRM takes none."""
    if any(name.startswith(CUSTOM) for name in values) and "custom_fields" not in crm.definition.capabilities:
        raise invalid("custom_fields", f"{crm.definition.label} takes none.")


async def owner_id(crm: Open, reference: str | None) -> str | None:
    """The id of the owner that is meant by id or email. Raises ApiError for one that there is not."""
    if reference is None:
        return None
    if "owners" in crm.definition.capabilities:
        for connection in (crm.id, None) if crm.definition.vendor else (None,):
            for owner in await known.owners(connection, crm.connector):
                if reference == owner.id or reference.strip().casefold() == (owner.email or "").casefold():
                    return owner.id
    raise invalid("owner", "is no owner of the CRM; see GET /v1/crm/owners.")


async def default_owner_id(crm: Open) -> str | None:
    """The id of who owns new records where none is named. Raises ApiError for one that is gone from the CRM."""
    try:
        return await owner_id(crm, crm.default_owner)
    except ApiError:
        raise invalid(
            "owner", f"the connection's default owner is gone from {crm.definition.label}. {CHOOSE}"
        ) from None


async def put_on_list(crm: OpenForWriting, reference: str | None, pieces: Sequence[Piece], *, dry_run: bool) -> None:
    """Puts the contacts on the list that is meant by id or name, and makes it where the CRM can; on the connection's
    default list where `reference` is None. Raises ApiError."""
    capabilities = crm.definition.capabilities
    lists = await crm.connector.lists() if "lists" in capabilities else []
    name = (reference or crm.default_list or "").strip()
    found = next((one for one in lists if name == one.id), None)
    if found is None and reference is None:
        raise invalid("list", f"the connection's default list is gone from {crm.definition.label}. {CHOOSE}")
    found = found or _named(lists, name)
    if found is None and ("create_lists" not in capabilities or not name or ID.fullmatch(name)):
        raise invalid("list", "is no list of the CRM; see GET /v1/crm/lists.")
    ids = [piece.id for piece in pieces if piece.id]
    there = await crm.connector.in_list(found.id, ids) if found and ids else set[str]()
    missing = [id for id in ids if id not in there]
    if missing and not dry_run:
        crm.check()
        found = found or await _made(crm, name)
        try:
            await crm.connector.add_to_list(found.id, missing)
        except NotFound as failure:
            if len(missing) == 1:
                raise
            there = await crm.connector.in_list(found.id, missing)
            for piece in pieces:
                if piece.id in missing and piece.id not in there:
                    piece.failure = failure
    for piece in pieces:
        if piece.id is None or piece.id in missing:
            piece.also("list")


async def _made(crm: OpenForWriting, name: str) -> CrmList:
    """The list of that name, which the first of those who name it at the same time makes."""
    async with crm.briefly([matching.list_lock(crm.definition.name, crm.account, name)]):
        return _named(await crm.connector.lists(), name) or await crm.connector.create_list(name)


def _named(lists: Sequence[CrmList], name: str) -> CrmList | None:
    return next((one for one in lists if name.casefold() == one.name.casefold()), None)


async def attach_note(crm: OpenForWriting, text: str, piece: Piece, *, dry_run: bool) -> None:
    """Writes the note unless the contact has it already."""
    if piece.id and await crm.connector.has_note(piece.id, text):
        return
    if not dry_run and piece.id:
        crm.check()
        await crm.connector.add_note(piece.id, text)
    piece.also("note")
