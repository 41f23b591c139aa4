"""New rows and changed ones, many in a request; what fails alone is told in its place."""

from collections.abc import Sequence
from email.utils import format_datetime
from typing import Any
from urllib.parse import quote

from addtocrm.core import times
from addtocrm.crm.connectors.salesforce.answers import (
    Outcome,
    Problem,
    Saved,
    changed,
    failure,
    lost,
    problem_of,
    shaped,
)
from addtocrm.crm.connectors.salesforce.api import BASE, REFERENCE, SUBREQUESTS, Api, sub
from addtocrm.crm.connectors.salesforce.locked import unlocked
from addtocrm.crm.connectors.salesforce.objects import OBJECTS
from addtocrm.crm.connectors.salesforce.values import sent
from addtocrm.crm.contract import Update
from addtocrm.crm.failures import Duplicate, Failure
from addtocrm.crm.several import together

COLLECTION = 200


class Writer:
    """Writes to one org."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def insert(self, name: str, rows: Sequence[dict[str, Any]], **about: str) -> list[str | Failure]:
        """The id of each new row of the object `name`, or why there is none; `about` as `failure` takes it.

        Raises a Failure where none was made.
        """

        async def alone(row: dict[str, Any]) -> Outcome:
            reply = await self._api.ask("POST", f"{BASE}/sobjects/{name}", json=row)
            return shaped(Saved, reply.data).id or lost() if reply.status == 201 else problem_of(reply.data)

        async def once(part: Sequence[int]) -> list[Outcome]:
            if len(part) == 1:
                return [await alone(rows[part[0]])]
            done = await self._collection([{"attributes": {"type": name}, **rows[i]} for i in part])
            # A collection does not say which record is like the new one.
            like = [at for at, one in enumerate(done) if isinstance(one, Problem) and one.code == "DUPLICATES_DETECTED"]
            named = await together([rows[part[at]] for at in like], alone, 1)
            for at, one in zip(like, named, strict=True):
                done[at] = one
            return done

        outcomes = await unlocked(len(rows), COLLECTION, once)
        return [one if isinstance(one, str) else failure(one, name, **about) for one in outcomes]

    async def insert_one(self, name: str, row: dict[str, Any], **about: str) -> str:
        """The new row's id; as `insert`, and raises why there is none."""
        [made] = await self.insert(name, [row], **about)
        if isinstance(made, Failure):
            raise made
        return made

    async def ensure(self, name: str, rows: Sequence[dict[str, Any]], **about: str) -> None:
        """As `insert`, for rows that may be there already; raises why one is not."""
        for one in await self.insert(name, rows, **about):
            if isinstance(one, Failure) and not isinstance(one, Duplicate):
                raise one

    async def change(self, updates: Sequence[Update]) -> list[str | Failure]:
        """A text for each that was written, or why it was not; raises a Failure where none was."""
        subs = [_patch(one, f"r{i}") for i, one in enumerate(updates)]

        async def alone(i: int) -> Outcome:
            call = {"json": subs[i]["body"], "headers": subs[i]["httpHeaders"], "idempotent": not updates[i].guarded}
            reply = await self._api.ask("PATCH", subs[i]["url"], **call)
            return changed(reply.status, reply.data)

        async def once(part: Sequence[int]) -> list[Outcome]:
            joint = [i for i in part if len(part) > 1 and REFERENCE not in str(subs[i]["body"])]
            # Of a guarded change that was made, the repeat is refused.
            twice = not any(updates[i].guarded for i in joint)
            answers = await self._api.composite([subs[i] for i in joint], idempotent=twice) if joint else []
            done = {i: changed(one.http_status_code, one.body) for i, one in zip(joint, answers, strict=True)}
            apart = [i for i in part if i not in done]
            done |= zip(apart, await together(apart, alone, 1), strict=True)
            return [done[i] for i in part]

        outcomes = await unlocked(len(updates), SUBREQUESTS, once)
        return [
            done if isinstance(done, str) else failure(done, OBJECTS[one.kind], f"{one.kind} {one.id}")
            for one, done in zip((update.record for update in updates), outcomes, strict=True)
        ]

    async def _collection(self, records: list[dict[str, Any]]) -> list[Outcome]:
        """What becomes of each. A request that is refused for some of its rows is sent again without them."""
        if not records:
            return []
        body = {"allOrNone": False, "records": records}
        reply = await self._api.ask("POST", f"{BASE}/composite/sobjects", json=body)
        if reply.status == 200:
            saved = shaped(list[Saved], reply.data)
            return [one.outcome for one in saved] if len(saved) == len(records) else lost()
        problem = problem_of(reply.data)
        if reply.status != 400 or len(records) == 1:
            return [problem] * len(records)
        guilty = [problem.unknown_field in record for record in records]
        if not any(guilty):
            half = len(records) // 2
            return await self._part(records[:half]) + await self._part(records[half:])
        rest = iter(await self._part([one for one, bad in zip(records, guilty, strict=True) if not bad]))
        return [problem if bad else next(rest) for bad in guilty]

    async def _part(self, records: list[dict[str, Any]]) -> list[Outcome]:
        """As `_collection`, where others may have been written already."""
        try:
            return await self._collection(records)
        except Failure as failed:
            return [failed] * len(records)


def _patch(update: Update, reference: str) -> dict[str, Any]:
    record, name = update.record, OBJECTS[update.record.kind]
    path = f"sobjects/{name}/{quote(record.id, safe='')}"
    part = sub("PATCH", path, reference, sent(name, update.changes))
    guard = format_datetime(times.parse(record.version), usegmt=True) if update.guarded and record.version else None
    return {**part, "httpHeaders": {"If-Unmodified-Since": guard} if guard else {}}
