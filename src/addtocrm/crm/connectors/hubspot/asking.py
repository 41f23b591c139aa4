"""How HubSpot is asked: decoded answers, or the Failure that its error is."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, TypeVar

from addtocrm.core.outgoing.client import Method
from addtocrm.crm.calling import Calls
from addtocrm.crm.connectors.hubspot.answers import Fault, Item, Page, decoded, failure
from addtocrm.crm.connectors.hubspot.objects import OBJECTS
from addtocrm.crm.failures import NotFound, RateLimited

T = TypeVar("T")


class Asking:
    """The requests of one account. Every method may raise a Failure."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def ask(self, method: Method, path: str, type: type[T], what: str = "record", **call: Any) -> T:
        """The answer as `type`; `call` as `Calls.ask` takes it. `what` is what a NotFound says was not found."""
        reply = await self._calls.ask(method, path, **call)
        if reply.status < 400:
            return decoded(reply, type, maybe_done=True)
        failed = failure(decoded(reply, Fault, maybe_done=False), what, reply)
        if isinstance(failed, RateLimited):
            raise await self._calls.limited(failed.retry_after, call.get("vendor"))
        raise failed

    async def pages(self, path: str, what: str = "record") -> AsyncGenerator[list[dict[str, Any]]]:
        """The rows of a list, page by page."""
        params = {"limit": "500"}
        while True:
            page = await self.ask("GET", path, Page[dict[str, Any]], what, params=params)
            yield page.results
            if not page.after:
                return
            params["after"] = page.after

    async def read(
        self, object: str, ids: Sequence[str], properties: Sequence[str], key: str | None = None
    ) -> list[Item]:
        """Up to BATCH objects by id, or by the property `key`, without those that there are not."""
        return (await self.answer(object, ids, properties, key)).results

    async def answer(
        self, object: str, ids: Sequence[str], properties: Sequence[str], key: str | None = None
    ) -> Page[Item]:
        """As `read`, with what is said of those that there are not."""
        body: dict[str, Any] = {"inputs": [{"id": id} for id in ids], "properties": properties}
        body |= {"propertiesWithHistory": [], **({"idProperty": key} if key else {})}
        found = await self.ask("POST", f"{OBJECTS}/{object}/batch/read", Page[Item], json=body, idempotent=True)
        for fault in found.errors:
            if not isinstance(failed := failure(fault, object), NotFound):
                raise failed
        return found
