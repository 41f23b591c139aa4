"""One record on its way into the CRM."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec

from addtocrm.core.errors import ApiError
from addtocrm.crm import matching
from addtocrm.crm.contract import Record, Value
from addtocrm.crm.failures import Failure
from addtocrm.crm.kinds import Kind
from addtocrm.crm.matching import By, Choice, Identity
from addtocrm.crm.merge import OnConflict, left_behind, of_employment
from addtocrm.crm.model import Action


class Piece(msgspec.Struct, kw_only=True, eq=False):
    """One record to be: what is to be written, then what became of it.

    `by` is what may find it, None for all keys and the name; `contact_id` is the one record that it may be. `kept_back`
    are our names of fields that may not be written, `empty` of those to be emptied. `attempted`: since then we may have
    made the record, with the fields `tried`, None where we did not try; `crowded`: not all of its name were read;
    `unanswered`: it was changed, and no answer came. `record` is None only where a dry run would make it.
    """

    kind: Kind
    values: dict[str, Any]
    on_conflict: OnConflict = "fill_empty"
    by: Collection[By] | None = None
    contact_id: str | None = None
    kept_back: frozenset[str] = frozenset()
    empty: Sequence[str] = ()
    choice: Choice = Choice(None, None, frozenset())
    attempted: datetime | None = None
    tried: frozenset[str] = frozenset()
    crowded: bool = False
    unanswered: bool = False
    failure: Failure | ApiError | None = None
    record: Record | None = None
    action: Action = "unchanged"
    fields: list[str] = []
    kept: list[str] = []
    sent: dict[str, Value | None] = {}

    @property
    def id(self) -> str | None:
        return self.record.id if self.record else None

    @property
    def url(self) -> str | None:
        return self.record.url if self.record else None

    @property
    def identities(self) -> list[Identity]:
        return matching.identities(self.kind, self.values)

    @property
    def own_identities(self) -> list[Identity]:
        """Those that are no other record's."""
        own = matching.identities(self.kind, matching.without(self.kind, self.values, self.choice.taken))
        return [one for one in own if one.name not in self.kept_back]

    @property
    def free(self) -> dict[str, Any]:
        """The values that may be written."""
        own = matching.without(self.kind, self.values, self.choice.taken)
        return {name: value for name, value in own.items() if name not in self.kept_back}

    def keep_employment(self) -> None:
        """An employment moves together or not at all: whether it may be written to the chosen record, and what of
        theirs goes with it (docs/crm.md, "What is written")."""
        moves = self.kind != "company" and matching.elsewhere(self.values, self.choice.there)
        kept = of_employment(self.values) if moves and self.on_conflict == "fill_empty" else ()
        self.kept_back = frozenset(kept)
        overwritten = moves and self.on_conflict == "overwrite"
        self.empty = left_behind(self.choice.there, self.values) if overwritten else ()

    def also(self, field: str) -> None:
        """Counts something written beside the record's own fields."""
        self.fields.append(field)
        if self.action == "unchanged":
            self.action = "updated"
