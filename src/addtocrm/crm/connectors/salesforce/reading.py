"""Rows by queries, without what the org does not have."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from addtocrm.crm.connectors.salesforce.answers import Page, failure, lost, problem_of, shaped
from addtocrm.crm.connectors.salesforce.api import BASE, QUERIES, Api, sub
from addtocrm.crm.connectors.salesforce.fields import Described, DescribedObject
from addtocrm.crm.connectors.salesforce.soql import Query
from addtocrm.crm.several import parts


class Reader:
    """Reads from one org, and keeps what it says of its objects."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._described: dict[str, list[Described]] = {}

    async def rows(self, queries: Sequence[Query]) -> list[dict[str, Any]]:
        """The rows of all queries, as `several`."""
        return [row for rows in await self.several(queries) for row in rows]

    async def several(self, queries: Sequence[Query], *, again: bool = True) -> list[list[dict[str, Any]]]:
        """The rows of each query. A field that is not there (any more) is left out, and leads where there are none.

        Raises a Failure where a query is refused; with `again` False also for a field that is not there.
        """
        rows: list[list[dict[str, Any]]] = [[] for _ in queries]
        known: dict[int, Query] = {}
        for part in parts(range(len(queries)), QUERIES):
            subs = [sub("GET", f"query?q={quote(str(queries[i]), safe='')}", f"q{i}") for i in part]
            answers = await self._api.composite(subs, idempotent=True)
            for i, answer in zip(part, answers, strict=True):
                if answer.http_status_code == 200:
                    rows[i] = await self._all(shaped(Page, answer.body))
                    continue
                problem = problem_of(answer.body)
                if problem.code == "INVALID_FIELD" and again:
                    known |= {i: query} if (query := await self._known(queries[i])) else {}
                elif (problem.code, queries[i].name) != ("INVALID_TYPE", "Lead"):
                    raise failure(problem, queries[i].name)
        for i, found in zip(known, await self.several([*known.values()], again=False) if known else (), strict=True):
            rows[i] = found
        return rows

    async def _all(self, page: Page) -> list[dict[str, Any]]:
        rows = page.records
        while page.next_records_url:
            if not page.next_records_url.startswith("/services/data/"):
                lost()
            reply = await self._api.ask("GET", page.next_records_url)
            page = shaped(Page, reply.data)
            rows += page.records
        return rows if all(isinstance(row.get("Id"), str) for row in rows) else lost()

    async def _known(self, query: Query) -> Query | None:
        """The query without the fields that its object does not have."""
        described = await self.describe(query.name)
        known = {one.name for one in described} | {one.relationship_name for one in described}
        filtered = known - {one.name for one in described if not one.filterable}
        fields = tuple(field for field in query.fields if field.partition(".")[0] in known)
        terms = [term for term in query.terms if all(field.partition(".")[0] in filtered for field in term)]
        return query._replace(fields=fields, terms=terms) if terms or not query.terms else None

    async def describe(self, name: str) -> list[Described]:
        """The fields of the object `name`, asked for once; raises Rejected where the user may not see it."""
        if name not in self._described:
            reply = await self._api.ask("GET", f"{BASE}/sobjects/{name}/describe")
            if reply.status != 200:
                raise failure(problem_of(reply.data), name)
            self._described[name] = shaped(DescribedObject, reply.data).fields
        return self._described[name]

    def forget(self, name: str) -> None:
        """Has the object `name` described anew, when it is asked for."""
        self._described.pop(name, None)
