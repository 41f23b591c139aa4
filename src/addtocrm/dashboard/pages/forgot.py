"""A new password for who forgot theirs, by a mail with a link."""

import msgspec
from litestar import Response, get, post

from addtocrm.core import letters
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.core.settings import Settings
from addtocrm.dashboard import forms
from addtocrm.dashboard.background import in_background
from addtocrm.dashboard.guard import opened
from addtocrm.dashboard.limits import count_try
from addtocrm.dashboard.page import page
from addtocrm.dashboard.pages.joining import address_for
from addtocrm.dashboard.visitor import AnyRequest
from addtocrm.tenants.members import service as members
from addtocrm.tenants.members.model import Link

TEXT = """Somebody asked for a new password for your AddToCRM dashboard. Choose one within an hour:

{link}

If it was not you, do nothing: your password stays.
"""


class Forgotten(msgspec.Struct, frozen=True):
    email: str = ""


@get("/forgot", opt=opened(), sync_to_thread=False)
def show(request: AnyRequest) -> Response[str]:
    return page(request, "forgot.html", sent=False, email="", fault="")


@post("/forgot", opt=opened(), status_code=200)
async def ask(request: AnyRequest, pool: Pool) -> Response[str]:
    """Answers alike, and as fast, whether there is such a member or not."""
    asked = await forms.read(request, Forgotten)
    try:
        await count_try(request, asked.email, "mail")
    except ApiError as error:
        typed, wait = asked.email, error.retry_after_seconds
        return page(request, "forgot.html", error.status, wait, sent=False, email=typed, fault=error.message)
    in_background(_send(pool, request.app.state.settings, asked.email))
    return page(request, "forgot.html", sent=True, email=asked.email, fault="")


async def _send(pool: Pool, settings: Settings, email: str) -> None:
    member = await members.by_email(pool, email)
    if member:
        token = await members.link(pool, Link("reset", None, member.id, None, None))
        link = address_for(settings.base_url, "reset", token)
        await letters.send(settings, member.email, "Your new AddToCRM password", TEXT.format(link=link))


handlers = (show, ask)
