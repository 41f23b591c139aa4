"""How a connector asks its vendor: `core.outgoing`, with the failures that a connector may raise."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from addtocrm.core.outgoing.client import Method, Outgoing, Reply
from addtocrm.core.outgoing.failures import CallFailed, Throttled
from addtocrm.core.outgoing.vendor import Account, Vendor
from addtocrm.crm.failures import Expired, RateLimited, Unavailable

SINGLE_WAIT_SECONDS = 5.0
BULK_WAIT_SECONDS = 30.0
"""For so long the vendor's quota is waited for: a job has time, and who waits at a screen has none. The rest of a
call's time (`Outgoing.call`) is for the answer; a job that would wait longer rests."""


class Calls:
    """The way to one account at a vendor, for one piece of work.

    `url` is the base of its API, `account` the vendor's own name of the account, whose quota is asked for, in `bulk`
    after single calls. `token` is the access token in clear, and goes out in `header` after `scheme`; `renew(token)`
    gives the one after it, and raises Expired where there is none. `forbids`: see `Definition`.
    """

    def __init__(
        self,
        outgoing: Outgoing,
        vendor: Vendor,
        account: str,
        url: str,
        token: str,
        *,
        header: str = "authorization",
        scheme: str = "Bearer",
        renew: Callable[[str], Awaitable[str]] | None = None,
        forbids: Callable[[Any], bool] | None = None,
        bulk: bool = False,
    ) -> None:
        self._outgoing, self._vendor, self._account = outgoing, vendor, account
        self.url = url.rstrip("/")
        self.token, self._header, self._scheme = token, header, scheme
        self._renew, self._forbids, self._bulk = renew, forbids, bulk

    async def ask(
        self,
        method: Method,
        path: str,
        *,
        vendor: Vendor | None = None,
        headers: Mapping[str, str] | None = None,
        **call: Any,
    ) -> Reply:
        """The vendor's answer below 500, whatever it says but 401, 429; `call` as `Outgoing.call` takes it.

        `path` begins with `/` and is appended to the base. `vendor` is another quota than the usual one. A token that
        ended is renewed once. Raises Expired, RateLimited and Unavailable.
        """
        used = self.token
        reply = await self._call(vendor or self._vendor, method, path, headers, call)
        if reply.status != 401 or self._is_forbidden(reply):
            return reply
        if self._renew is None:
            raise Expired(used)
        if self.token == used:
            self.token = await self._renew(used)
        reply = await self._call(vendor or self._vendor, method, path, headers, call)
        if reply.status == 401 and not self._is_forbidden(reply):
            raise Expired(self.token)
        return reply

    def _is_forbidden(self, reply: Reply) -> bool:
        return self._forbids is not None and self._forbids(reply.data)

    async def limited(self, seconds: float, vendor: Vendor | None = None) -> RateLimited:
        """The failure to raise where the vendor says in a form of its own that its quota is used up for `seconds`."""
        await self._outgoing.pause(Account(vendor or self._vendor, self._account), seconds)
        return RateLimited(seconds)

    async def _call(
        self, vendor: Vendor, method: Method, path: str, headers: Mapping[str, str] | None, call: Mapping[str, Any]
    ) -> Reply:
        account = Account(vendor, self._account)
        token = f"{self._scheme} {self.token}" if self._scheme else self.token
        try:
            return await self._outgoing.call(
                account,
                method,
                self.url + path,
                bulk=self._bulk,
                headers={**(headers or {}), self._header: token},
                wait=BULK_WAIT_SECONDS if self._bulk else SINGLE_WAIT_SECONDS,
                **call,
            )
        except Throttled as failure:
            raise RateLimited(failure.seconds) from None
        except CallFailed as failure:
            raise Unavailable(failure.retry_after or 30, maybe_done=failure.maybe_done) from None
