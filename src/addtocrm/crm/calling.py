"""How a connector asks its vendor: `core.outgoing`, with the failures that a connector may raise."""

from typing import Any

from addtocrm.core.outgoing.client import Method, Reply
from addtocrm.core.outgoing.failures import CallFailed, Throttled
from addtocrm.core.outgoing.vendor import Account, Vendor
from addtocrm.crm.contract import Access, Expired, RateLimited, Unavailable

SINGLE_WAIT_SECONDS = 5.0
BULK_WAIT_SECONDS = 60.0
"""For so long the vendor's quota is waited for: a job has time, and who waits at a screen has none."""


async def ask(access: Access, vendor: Vendor, method: Method, url: str, **call: Any) -> Reply:
    """The vendor's answer below 500, whatever it says but 401; `call` as `Outgoing.call` takes it.

    Raises Expired, RateLimited and Unavailable.
    """
    account = Account(vendor, access.vendor_account)
    call.setdefault("wait", BULK_WAIT_SECONDS if access.bulk else SINGLE_WAIT_SECONDS)
    try:
        reply = await access.outgoing.call(account, method, url, bulk=access.bulk, **call)
    except Throttled as failure:
        raise RateLimited(failure.seconds) from None
    except CallFailed as failure:
        raise Unavailable(failure.retry_after or 30) from None
    if reply.status == 401:
        raise Expired
    return reply
