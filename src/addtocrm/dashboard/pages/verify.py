"""Verifying email addresses, with the evidence in plain words."""

from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.dashboard import forms
from addtocrm.dashboard.asked import lines_of
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, caller_of
from addtocrm.lookups.emails import batch, service
from addtocrm.lookups.emails.model import VerifyEmail
from addtocrm.lookups.service import Lookups
from addtocrm.mail.desk import Desk
from addtocrm.mail.model import Verification

MOST_LINES = 10_000
LONGEST = 1000


class Asked(msgspec.Struct, frozen=True):
    addresses: str = ""
    refresh: bool = False


@get("/verify", opt=needs(), sync_to_thread=False)
def show(request: AnyRequest) -> Response[str]:
    return _page(request, addresses=request.query_params.get("addresses", ""))


@post("/verify", opt=needs(), status_code=200)
async def verify(request: AnyRequest, pool: Pool, lookups: Lookups, desk: Desk) -> Response[str] | Redirect:
    """One address at once; several as a job."""
    asked = await forms.read(request, Asked)
    lines = [line[:LONGEST] for line in lines_of(asked.addresses)]
    try:
        if not 0 < len(lines) <= MOST_LINES:
            raise invalid("addresses", f"Enter 1 to {MOST_LINES:,} email addresses, each on a line of its own.")
        if len(lines) > 1:
            items = [VerifyEmail(email=line, refresh=asked.refresh) for line in lines]
            return go(f"/dashboard/jobs/{(await batch.submit(pool, caller_of(request), items)).id}")
        answer, _ = await service.verify(lookups, desk, caller_of(request), lines[0], refresh=asked.refresh)
    except ApiError as error:
        return _page(request, error.status, addresses=asked.addresses, fault=error.message)
    found = msgspec.json.decode(answer.data, type=Verification)
    return _page(request, addresses=asked.addresses, found=found, answer=answer)


def _page(request: AnyRequest, status: int = 200, **values: Any) -> Response[str]:
    return page(request, "verify.html", status, **{"addresses": "", "fault": "", "found": None, **values})


handlers = (show, verify)
