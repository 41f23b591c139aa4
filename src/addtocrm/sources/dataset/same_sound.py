"""Companies whose names sound the same: an identity by name has the name's Han characters. One that was made before
identities had these says only how the name sounds, and stays."""

from collections.abc import Sequence
from typing import Any

import msgspec

from addtocrm.core.db.pool import Connection
from addtocrm.core.matching import companies
from addtocrm.core.matching.han import heard
from addtocrm.sources.dataset.model import Kind
from addtocrm.sources.dataset.renamed import belong

SECONDS = 600.0


def by_name(key: str | None, name: str | None) -> str | None:
    """What an identity has of a company that is known by its name: its key, and its Han characters."""
    return heard(key, companies.han(name or "")) if key else None


async def join_by_sound(connection: Connection, kind: Kind, rows: Sequence[tuple[str | None, ...]]) -> bool:
    """Makes staged rows of (id, identity, keys, JSON data) those of who is stored by how the same company's name
    sounds. Gives whether they have changed: two may be one now."""
    staged = [
        (id or "", before, data or "{}") for id, identity, *_, key, data in rows if (before := _sound(identity, key))
    ]
    if not staged:
        return False
    stored = await connection.fetch(
        f"select identity, data from {kind} where identity = any($1)",
        list({before for _, before, _ in staged}),
        timeout=SECONDS,
    )
    known = {row["identity"]: _han(kind, row["data"]) for row in stored}
    owners = {id: before for id, before, data in staged if known.get(before) == _han(kind, data)}
    await belong(connection, owners)
    return bool(owners)


def _sound(identity: str | None, key: str | None) -> str | None:
    """An identity as it was when it had no Han characters of the company; None where it has none now."""
    start, bar, place = (identity or "").rpartition("|")
    if (identity or "").startswith("na:"):
        start, bar, place = "na", ":", (identity or "")[3:]
    elif not start.startswith("nc:"):
        return None
    return start + bar + key if key and place.startswith(key + " ") and not place.isascii() else None


def _han(kind: Kind, data: str) -> str:
    known: dict[str, Any] = msgspec.json.decode(data)
    company: dict[str, Any] = known if kind == "companies" else known.get("company") or {}
    return companies.han(company.get("name") or "")
