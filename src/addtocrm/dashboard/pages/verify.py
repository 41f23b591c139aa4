"""Verifying email addresses: they become a job, whose page has the results."""

import asyncio

from litestar import Response, get, post
from litestar.response import Redirect
from msgspec.structs import replace

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.dashboard import forms
from addtocrm.dashboard.asked import MOST, Pasted, addresses_of
from addtocrm.dashboard.asking import ask
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.live import Live
from addtocrm.dashboard.page import page
from addtocrm.dashboard.visitor import AnyRequest, caller_of
from addtocrm.lookups.emails import batch, service
from addtocrm.lookups.emails.model import VerifyEmail
from addtocrm.lookups.service import Lookups


@get("/verify", opt=needs(), sync_to_thread=False)
def show(request: AnyRequest) -> Response[str]:
    return page(request, "verify.html", lines="", fault="", most=MOST)


@post("/verify", opt=needs(), status_code=200)
async def verify(request: AnyRequest, pool: Pool, live: Live, lookups: Lookups) -> Response[str] | Redirect:
    asked = await forms.read(request, Pasted)
    try:
        addresses, keys = await asyncio.to_thread(_read, asked, await forms.uploaded(request, "file"))
    except ApiError as error:
        return page(request, "verify.html", error.status, lines=asked.lines, fault=error.message, most=MOST)
    return await ask(
        *(request, pool, live, lookups, service.VERIFY, addresses, keys),
        lambda held: batch.submit(pool, caller_of(request), addresses, held),
        refresh=asked.refresh,
    )


def _read(asked: Pasted, file: bytes | None) -> tuple[list[VerifyEmail], list[str]]:
    """The addresses, and the keys of their lookups. Raises ApiError. It runs beside the other requests, for
    there may be many."""
    addresses = [replace(one, refresh=asked.refresh) for one in addresses_of(asked.lines, file)]
    return addresses, [service.verify_key(one.email) for one in addresses if service.is_address(one.email)]


handlers = (show, verify)
