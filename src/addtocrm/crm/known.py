"""What a connection's CRM has, as it was a short while ago: its fields and owners."""

import time
from collections import OrderedDict
from typing import Any

from addtocrm.crm.contract import Connector, Field, Owner
from addtocrm.crm.kinds import Kind

KEPT_SECONDS = 600.0
FRESH_SECONDS = 2.0
MOST = 2000
_kept: OrderedDict[tuple[str, str], tuple[float, Any]] = OrderedDict()


async def fields(connection: str | None, kind: Kind, connector: Connector) -> dict[str, Field]:
    """The CRM's fields by name; of None, asked each time."""
    found = _get(connection, kind) if connection else None
    if found is None:
        found = {field.name: field for field in await connector.fields(kind)}
        if connection:
            _put(connection, kind, found)
    return found


async def owners(connection: str | None, connector: Connector) -> list[Owner]:
    """The CRM's owners; of None, asked each time."""
    found = _get(connection, "owners") if connection else None
    if found is None:
        found = await connector.owners()
        if connection:
            _put(connection, "owners", found)
    return found


def is_old(connection: str, kind: Kind) -> bool:
    """Whether the fields may have changed since they were asked for."""
    at, _ = _kept.get((connection, kind), (0.0, None))
    return time.monotonic() - at > FRESH_SECONDS


def forget(connection: str) -> None:
    """Asks the CRM anew next time."""
    for key in [key for key in _kept if key[0] == connection]:
        del _kept[key]


def _get(connection: str, what: str) -> Any:
    at, found = _kept.get((connection, what), (0.0, None))
    return found if time.monotonic() - at < KEPT_SECONDS else None


def _put(connection: str, what: str, value: Any) -> None:
    _kept[connection, what] = (time.monotonic(), value)
    _kept.move_to_end((connection, what))
    while len(_kept) > MOST:
        _kept.popitem(last=False)
