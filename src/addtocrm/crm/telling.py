"""What the feed is told of a write."""

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Connection
from addtocrm.crm.kinds import Kind
from addtocrm.crm.opening import OpenForWriting
from addtocrm.crm.piece import Piece
from addtocrm.events import service as events
from addtocrm.events.model import EventType

TYPES: dict[tuple[Kind, str], EventType] = {
    ("contact", "created"): "crm.contact.created",
    ("contact", "updated"): "crm.contact.updated",
    ("company", "created"): "crm.company.created",
    ("company", "updated"): "crm.company.updated",
}


def tell(crm: OpenForWriting, caller: Caller, kind: Kind, piece: Piece, *, dry_run: bool, **more: str | None) -> None:
    """Tells the feed of what was written, as it stands when the work is over."""

    async def told(db: Connection) -> None:
        event = TYPES.get((kind, piece.action))
        if event is None:
            return
        data = {
            "crm": crm.definition.name,
            f"{kind}_id": piece.id,
            **more,
            "url": piece.url,
            "fields_written": piece.fields,
        }
        await events.append(db, caller.account_id, event, caller.actor, caller.request_id, data)

    if not dry_run:
        crm.told.append(told)
