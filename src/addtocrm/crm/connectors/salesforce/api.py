"""How Salesforce's REST API is asked: by one request, or by several in a composite one."""

from collections.abc import Sequence
from typing import Any

from addtocrm.core.outgoing.client import Method, Reply
from addtocrm.crm.calling import Calls
from addtocrm.crm.connectors.salesforce.answers import Answer, Answers, failure, lost, problem_of, shaped
from addtocrm.crm.failures import Expired

BASE = "/services/data/v66.0"
SUBREQUESTS, QUERIES = 25, 5
"""So many, of which so many queries, are in a composite request."""
REFERENCE = "@{"
"""Begins what a composite request replaces by a part of another answer, in whatever text it stands."""
DAILY_SECONDS, CONCURRENT_SECONDS = 900.0, 5.0
"""The daily quota is that of the last 24 hours, so some of it comes back all the time."""


def sub(method: Method, path: str, reference: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """A part of a composite request, whose answer others can name by `reference`."""
    part: dict[str, Any] = {"method": method, "url": f"{BASE}/{path}", "referenceId": reference}
    return part if body is None else {**part, "body": body}


class Api:
    """The way to one org."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def ask(self, method: Method, path: str, **call: Any) -> Reply:
        """The answer to one request, as `Calls.ask` takes and gives it; raises its failures, those that Salesforce says
        by a 403 too."""
        reply = await self._calls.ask(method, path, **call)
        if reply.status == 403:
            problem = problem_of(reply.data)
            if problem.code == "REQUEST_LIMIT_EXCEEDED":
                concurrent = "concurrent" in problem.message.lower()
                raise await self._calls.limited(CONCURRENT_SECONDS if concurrent else DAILY_SECONDS)
            if problem.code == "INVALID_SESSION_ID":
                raise Expired(self._calls.token)
        return reply

    async def composite(
        self, subs: Sequence[dict[str, Any]], *, all_or_none: bool = False, idempotent: bool = False
    ) -> list[Answer]:
        """The answer to each part, at most SUBREQUESTS; raises a Failure where the whole was refused."""
        body = {"allOrNone": all_or_none, "compositeRequest": subs}
        reply = await self.ask("POST", f"{BASE}/composite", json=body, idempotent=idempotent)
        if reply.status != 200:
            raise failure(problem_of(reply.data), "this request")
        answers = shaped(Answers, reply.data).composite_response
        return answers if len(answers) == len(subs) else lost()
