"""Zoho's API as it is asked: what its answers give, and what they refuse as its Failure."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from addtocrm.core.outgoing.client import Method
from addtocrm.crm.calling import Calls
from addtocrm.crm.connectors.zoho import answers, failures
from addtocrm.crm.connectors.zoho.answers import Item
from addtocrm.crm.failures import Failure, RateLimited, Unavailable

ROOT = "/crm/v8"
BATCH, PAGE = 100, 200


class Api:
    """The API of one account. Paths begin with `/` after the version; every method may raise a Failure."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def ask(self, method: Method, path: str, **call: Any) -> dict[str, Any] | None:
        """The answer, None where there is nothing; `call` as `Calls.ask` takes it. Raises what failed as a whole."""
        reply = await self._calls.ask(method, ROOT + path, **call)
        if reply.status == 204:
            return None
        data = answers.as_dict(reply.data)
        if data.get("status") != "error":
            if reply.status >= 400 and not any(isinstance(value, list) for value in data.values()):
                raise Unavailable()
            return data
        error = answers.item(data)
        if error.code == "ALREADY_MODIFIED":
            return {"data": [data] * len(call["json"]["data"])}
        raise await self._failure(error)

    async def pages(self, path: str, key: str, params: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
        """The objects under `key` of all pages."""
        page, more = 1, True
        while more:
            answer = await self.ask("GET", path, params={**params, "page": str(page), "per_page": str(PAGE)})
            for row in answers.rows(answer, key):
                yield row
            page, more = page + 1, answers.has_more(answer)

    async def send(
        self, method: Method, path: str, bodies: list[dict[str, Any]], module: str, **call: Any
    ) -> list[Item | Failure]:
        """What came of each record of `module`; a failure of the whole is that of each."""
        try:
            return await self.judged(await self.ask(method, path, json={"data": bodies}, **call), len(bodies), module)
        except Failure as failure:
            return [failure] * len(bodies)

    async def judged(self, answer: Mapping[str, Any] | None, count: int, module: str) -> list[Item | Failure]:
        """What came of each of `count` records of `module`. Raises what failed as a whole."""
        items = answers.items(answer, "data", maybe_done=True)
        if len(items) == 1 < count and items[0].status != "success":
            raise await self._failure(items[0], module)
        if len(items) != count:
            raise Unavailable(maybe_done=True)
        return [item if item.status == "success" else await self._failure(item, module) for item in items]

    async def add(self, path: str, body: dict[str, Any], module: str) -> str:
        """Makes what belongs to a record of `module`, and gives its id."""
        (item,) = await self.send("POST", path, [body], module, idempotent=False)
        if isinstance(item, Failure):
            raise item
        return answers.new_id(item)

    async def settings(self, key: str, module: str) -> list[dict[str, Any]]:
        """The `fields` or `tags` of `module`."""
        return answers.rows(await self.ask("GET", f"/settings/{key}", params={"module": module}), key)

    async def make(self, key: str, module: str, body: dict[str, Any]) -> Item:
        """Makes one of the `fields` or `tags` of `module`; there may be one already."""
        params = {"module": module}
        answer = await self.ask("POST", f"/settings/{key}", params=params, json={key: [body]}, idempotent=True)
        item = answers.items(answer, key)[0]
        if item.code not in ("SUCCESS", "DUPLICATE_DATA"):
            raise await self._failure(item, module)
        return item

    async def _failure(self, error: Item, module: str = "") -> Failure:
        failure = failures.failure(error, module)
        return await self._calls.limited(failure.retry_after) if isinstance(failure, RateLimited) else failure
