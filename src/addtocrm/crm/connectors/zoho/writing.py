"""Creating and changing records, in batches."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from addtocrm.crm.connectors.zoho import answers, fields
from addtocrm.crm.connectors.zoho.answers import Item
from addtocrm.crm.connectors.zoho.api import BATCH, Api
from addtocrm.crm.connectors.zoho.failures import NO_FIELD
from addtocrm.crm.connectors.zoho.fields import MODULES
from addtocrm.crm.connectors.zoho.reading import Reader
from addtocrm.crm.contract import Fields, Record, Update
from addtocrm.crm.failures import Changed, Failure, Unavailable, UnknownField
from addtocrm.crm.kinds import Kind
from addtocrm.crm.several import parts

T = TypeVar("T")


class Writer:
    """Writes the records of one account; `reader` is what reads them. Every method may raise a Failure."""

    def __init__(self, api: Api, reader: Reader) -> None:
        self._api, self._reader = api, reader

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        """See `Connector.create`."""
        module = MODULES[kind]
        return await self._in_batches(module, rows, rows, partial(self._post, module))

    async def update(self, updates: Sequence[Update]) -> list[Record | Failure]:
        """See `Connector.update`."""
        done: dict[int, Record | Failure] = {}
        groups: dict[tuple[str, bool], list[int]] = {}
        for place, one in enumerate(updates):
            guarded = one.guarded and one.record.version is not None
            groups.setdefault((MODULES[one.record.kind], guarded), []).append(place)
        for (module, guarded), places in groups.items():
            some = [updates[place] for place in places]
            send = partial(self._put, module, guarded)
            results = await self._in_batches(module, some, [one.changes for one in some], send)
            done |= dict(zip(places, results, strict=True))
        return [done[place] for place in range(len(updates))]

    async def _in_batches(
        self,
        module: str,
        items: Sequence[T],
        values: Sequence[Mapping[str, Any]],
        send: Callable[[Sequence[T]], Awaitable[list[Record | Failure]]],
    ) -> list[Record | Failure]:
        """Sends the items but for those whose values have an unknown field, which Zoho would drop without a word."""
        unknown = await self._reader.unknown(module, values)
        good = [item for item, name in zip(items, unknown, strict=True) if name is None]
        sent = iter([outcome for some in parts(good, BATCH) for outcome in await send(some)])
        return [UnknownField(name, NO_FIELD) if name else next(sent) for name in unknown]

    async def _post(self, module: str, rows: Sequence[Fields]) -> list[Record | Failure]:
        bodies = [fields.stand_in(module, row) | self._body(module, row) for row in rows]
        items = await self._api.send("POST", f"/{module}", bodies, module, idempotent=False)
        return [self._outcome(module, None, row, item) for row, item in zip(rows, items, strict=True)]

    async def _put(self, module: str, guarded: bool, updates: Sequence[Update]) -> list[Record | Failure]:
        """A batch has one time for all its records: the newest version, which every later change exceeds."""
        bodies = [{"id": one.record.id} | self._body(module, one.changes) for one in updates]
        headers = {"if-unmodified-since": max((str(u.record.version) for u in updates), key=_time)} if guarded else {}
        path = f"/{module}/{updates[0].record.id}" if len(updates) == 1 else f"/{module}"
        # Of a guarded change that was made, the repeat is refused.
        items = await self._api.send("PUT", path, bodies, module, headers=headers, idempotent=not guarded)
        if len(updates) > 1 and all(isinstance(item, Changed) for item in items):
            return [(await self._put(module, guarded, [one]))[0] for one in updates]
        return [
            self._outcome(module, one.record.id, {**one.record.fields, **one.changes}, item)
            for one, item in zip(updates, items, strict=True)
        ]

    def _body(self, module: str, row: Mapping[str, Any]) -> dict[str, Any]:
        return fields.body(module, row, self._reader.references[module])

    def _outcome(self, module: str, id: str | None, row: Mapping[str, Any], item: Item | Failure) -> Record | Failure:
        if isinstance(item, Failure):
            return item
        try:
            return self._reader.record(module, id or answers.new_id(item), row, item.details.get("Modified_Time"))
        except Unavailable as failure:
            return failure


def _time(version: str) -> float:
    try:
        return datetime.fromisoformat(version).timestamp()
    except ValueError:
        raise Unavailable() from None
