"""Records of HubSpot written: in batches, in which each fails alone."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

from addtocrm.crm.connectors.hubspot.answers import Done, Item, NoScope, Page, failures
from addtocrm.crm.connectors.hubspot.asking import Asking
from addtocrm.crm.connectors.hubspot.fields import LINK, read, written
from addtocrm.crm.connectors.hubspot.objects import BATCH, OBJECT, OBJECTS, PRIMARY_COMPANY, association
from addtocrm.crm.connectors.hubspot.reading import Reading
from addtocrm.crm.contract import Fields, Record, Update
from addtocrm.crm.failures import Changed, Duplicate, Failure, NotFound, Rejected, Unavailable, UnknownField
from addtocrm.crm.kinds import Kind
from addtocrm.crm.several import parts

T = TypeVar("T")
R = TypeVar("R")
NAMES = ("email", "firstname", "lastname")
NAMELESS = "a new contact of HubSpot needs an email, a first name or a last name."
LINKS = "/crm/v4/associations/contacts/companies/batch"


class Writing:
    """What is written in one account. Methods are as in `Connector`."""

    def __init__(self, asking: Asking, reading: Reading) -> None:
        self._asking, self._reading = asking, reading

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        results: list[Record | Failure] = [Rejected("", NAMELESS)] * len(rows)
        able = [place for place, row in enumerate(rows) if kind == "company" or any(row.get(one) for one in NAMES)]
        for place, made in zip(
            able, await _each([rows[place] for place in able], partial(self._create, kind)), strict=True
        ):
            results[place] = made
        return results

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        guarded = [one.record.id for one in updates if one.guarded]
        now = await self._reading.many(kind, guarded)
        results = [self._checked(kind, one, now) for one in updates]
        places = [p for p, one in enumerate(updates) if isinstance(results[p], Record) and written(one.changes)]
        outcomes = await _each([updates[place] for place in places], partial(self._update, kind))
        for place, outcome in zip(places, outcomes, strict=True):
            results[place] = outcome
        links: dict[str, list[tuple[int, str, str]]] = {"create": [], "archive": []}
        for place, one in enumerate(updates):
            if LINK in one.changes and isinstance(results[place], Record):
                new, old = one.changes[LINK], one.record.fields.get(LINK)
                if new:
                    links["create"].append((place, one.record.id, str(new)))
                elif new is None and old:
                    links["archive"].append((place, one.record.id, str(old)))
        for path, rows in links.items():
            for (place, *_), failure in zip(rows, await _each(rows, partial(self._link, path)), strict=True):
                if failure:
                    results[place] = failure
        return results

    async def _create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        path = f"{OBJECTS}/{OBJECT[kind]}"
        inputs: list[dict[str, Any]] = []
        for row in rows:
            company = row.get(LINK)
            links = [association(str(company), PRIMARY_COMPANY)] if company else []
            inputs.append({"properties": written(row), "associations": links})
        if len(rows) == 1:
            return [self._reading.record(kind, await self._asking.ask("POST", path, Item, json=inputs[0]), rows[0])]
        body = {"inputs": [{**one, "objectWriteTraceId": str(place)} for place, one in enumerate(inputs)]}
        made = await self._asking.ask("POST", f"{path}/batch/create", Page[Item], json=body)
        results = failures(made.errors, "objectWriteTraceId", kind)
        for item in made.results:
            trace = item.object_write_trace_id or ""
            if trace.isdigit() and int(trace) < len(rows):
                results[trace] = self._reading.record(kind, item, rows[int(trace)])
        return [results.get(str(place)) or Unavailable(maybe_done=True) for place in range(len(rows))]

    def _checked(self, kind: Kind, update: Update, now: Mapping[str, Item]) -> Record | Failure:
        """What the update will give; Changed where a value that it must find as it was has become another."""
        record = update.record
        if update.guarded:
            if record.id not in now:
                return NotFound(f"{kind} {record.id}")
            fields, looked = read(now[record.id].properties), self._reading.reads[kind] & set(update.changes)
            if any(fields.get(name) != record.fields.get(name) for name in looked):
                return Changed()
        return update.done(record.version)

    async def _update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        path = f"{OBJECTS}/{OBJECT[kind]}"
        if len(updates) == 1:
            id, body = updates[0].record.id, {"properties": written(updates[0].changes)}
            path = f"{path}/{quote(id, safe='')}"
            item = await self._asking.ask("PATCH", path, Item, f"{kind} {id}", json=body, idempotent=True)
            return [updates[0].done(item.updated_at)]
        body = {"inputs": [{"id": one.record.id, "properties": written(one.changes)} for one in updates]}
        try:
            done = await self._asking.ask("POST", f"{path}/batch/update", Page[Item], json=body, idempotent=True)
        except UnknownField as unknown:
            others = [one for one in updates if unknown.field not in one.changes]
            if len(others) == len(updates):
                raise
            rest = iter(await _each(others, partial(self._update, kind)))
            return [unknown if unknown.field in one.changes else next(rest) for one in updates]
        results = failures(done.errors, "ids", kind)
        items = {item.id: item for item in done.results}
        for one in updates:
            if one.record.id in items:
                results[one.record.id] = one.done(items[one.record.id].updated_at)
        return [results.get(one.record.id) or Unavailable(maybe_done=True) for one in updates]

    async def _link(self, path: str, rows: Sequence[tuple[int, str, str]]) -> list[Failure | None]:
        """Makes each company that of the contact, or no longer. Repeating it changes nothing."""
        inputs = [
            {"from": {"id": contact}, **association(company, PRIMARY_COMPANY)}
            if path == "create"
            else {"from": {"id": contact}, "to": [{"id": company}]}
            for _, contact, company in rows
        ]
        done = await self._asking.ask("POST", f"{LINKS}/{path}", Done, json={"inputs": inputs}, idempotent=True)
        if done.errors:
            raise Rejected(LINK, done.errors[0].message)
        return [None] * len(rows)


async def _each(
    rows: Sequence[T], work: Callable[[Sequence[T]], Awaitable[list[R | Failure]]], size: int = BATCH
) -> list[R | Failure]:
    """`work` on all, `size` at a time. What is refused together is tried in halves, until it fails alone."""
    results: list[R | Failure] = []
    for part in parts(rows, size):
        try:
            results += await work(part)
        except (Rejected, Duplicate, NotFound) as failure:
            alike = len(part) == 1 or isinstance(failure, NoScope)
            results += [failure] * len(part) if alike else await _each(part, work, (len(part) + 1) // 2)
        except Failure as failure:
            if len(part) == len(rows):
                raise
            results += [failure] * len(part)
    return results
