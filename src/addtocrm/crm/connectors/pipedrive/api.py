"""Pipedrive's API: what is asked, by page and by id."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from addtocrm.core.outgoing.client import Method
from addtocrm.core.outgoing.vendor import Vendor
from addtocrm.crm.calling import Calls
from addtocrm.crm.connectors.pipedrive.answers import Answer, Hits, Meta, Raw, convert, failure, raws_of
from addtocrm.crm.connectors.pipedrive.quotas import SEARCH
from addtocrm.crm.connectors.pipedrive.search import Question
from addtocrm.crm.connectors.pipedrive.values import ID
from addtocrm.crm.failures import NotFound
from addtocrm.crm.kinds import Kind
from addtocrm.crm.several import all_together, parts

R = TypeVar("R")

ENTITY: Mapping[str, str] = {"contact": "persons", "company": "organizations"}
SINGULAR: Mapping[str, str] = {"contact": "person", "company": "organization"}
LABELLED: Mapping[str, str] = {"include_option_labels": "true"}
AT_ONCE = 4
PAGE, HITS = 100, 1_000
RECENT = timedelta(minutes=5)


class Api:
    """The API of one account. Every call may raise a Failure."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._metas: dict[str, list[Meta]] = {}

    async def ask(
        self, method: Method, path: str, *, what: str = "", vendor: Vendor | None = None, **call: Any
    ) -> Answer:
        """As `Calls.ask`; `what` is what is not there where the answer is 404. Raises what the answer says is wrong."""
        reply = await self._calls.ask(method, path, vendor=vendor, **call)
        answer = convert(reply.data, Answer)
        if reply.status < 300 and answer.success:
            return answer
        raise failure(reply.status, answer.error or "", call.get("json"), what)

    async def metas(self, kind: Kind) -> list[Meta]:
        """All fields as Pipedrive describes them, asked once."""
        if kind not in self._metas:
            path = f"/api/v2/{SINGULAR[kind]}Fields"
            self._metas[kind] = await self.paged(path, {"limit": "500"}, lambda data: convert(data, list[Meta]))
        return self._metas[kind]

    def forget(self, kind: Kind) -> None:
        """Asks for the fields anew, as one was made."""
        self._metas.pop(kind, None)

    async def paged(
        self, path: str, query: Mapping[str, str], take: Callable[[Any], list[R]], most: float = math.inf
    ) -> list[R]:
        """What `take` makes of page after page, until there are `most` at least, or no more."""
        rows: list[R] = []
        cursor: Mapping[str, str] = {}
        while len(rows) < most:
            answer = await self.ask("GET", path, params={**query, **cursor})
            rows += take(answer.data)
            after = (answer.additional_data or {}).get("next_cursor")
            if not after:
                break
            cursor = {"cursor": after}
        return rows

    async def listed(self, kind: Kind, **query: str) -> list[Raw]:
        """The records of one page."""
        answer = await self.ask("GET", f"/api/v2/{ENTITY[kind]}", params={**LABELLED, **query})
        return raws_of(answer.data)

    async def recent(self, kind: Kind) -> dict[str, Raw]:
        """What was written last, which search may not know of yet."""
        since = (datetime.now(UTC) - RECENT).strftime("%Y-%m-%dT%H:%M:%SZ")
        order = {"sort_by": "update_time", "sort_direction": "desc"}
        raws = await self.listed(kind, updated_since=since, limit=str(PAGE), **order)
        return {str(raw["id"]): raw for raw in raws}

    async def search(self, kind: Kind, question: Question) -> tuple[list[str], bool]:
        """The ids of the records that are found, HITS at most, and whether there are more."""
        ids: list[str] = []
        cursor: Mapping[str, str] = {}
        while True:
            query = {**question.query(), "limit": str(PAGE), **cursor}
            answer = await self.ask("GET", f"/api/v2/{ENTITY[kind]}/search", vendor=SEARCH, params=query)
            ids += [str(one.item.id) for one in convert(answer.data, Hits).items]
            after = (answer.additional_data or {}).get("next_cursor")
            if not after or len(ids) >= HITS:
                return ids, bool(after)
            cursor = {"cursor": after}

    async def read(self, kind: Kind, ids: Sequence[str]) -> list[Raw]:
        """The records by id, without those that there are not. One alone costs less than a page."""
        ids = [id for id in ids if ID.fullmatch(id)]
        if len(ids) == 1:
            try:
                answer = await self.ask("GET", f"/api/v2/{ENTITY[kind]}/{ids[0]}", params=LABELLED)
            except NotFound:
                return []
            return raws_of([answer.data])

        async def some(part: Sequence[str]) -> list[Raw]:
            return await self.listed(kind, ids=",".join(part), limit=str(PAGE))

        return [raw for raws in await all_together(parts(ids, PAGE), some, AT_ONCE) for raw in raws]
