"""A key for an hour, to try requests in the API reference.

The API itself takes no cookie: what another site makes a browser send has no key, and does nothing.
"""

from typing import Any

import msgspec
from litestar import Response, get, post

from addtocrm.core.caller import Scope
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.dashboard import forms
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import html, page
from addtocrm.dashboard.pages.keys import ALLOWS
from addtocrm.dashboard.reference import reference
from addtocrm.dashboard.visitor import AnyRequest, address_of, caller_of, signed_in
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.keys import service as keys
from addtocrm.tenants.members.model import at_least


class Wanted(msgspec.Struct, frozen=True):
    scopes: list[str] = []


@get("/reference/key", opt=needs(recent=True), sync_to_thread=False)
def ask(request: AnyRequest) -> Response[str]:
    return _form(request, chosen=["read"])


@post("/reference/key", opt=needs(recent=True), status_code=200)
async def make(request: AnyRequest, pool: Pool) -> Response[str]:
    """The key is on this page and on no other; there is one for a session, and it ends with it."""
    signed, asked = signed_in(request), await forms.read(request, Wanted)
    actor = caller_of(request).actor
    try:
        if not set(asked.scopes) <= set(_allowed(request)):
            raise invalid("scopes", "Only an admin gets a key with that scope.")
        made = await keys.create_for_session(
            pool,
            signed.account_email,
            asked.scopes,
            signed.session_id,
            f"API reference, {signed.email}",
            actor,
            signed.role,
        )
    except ApiError as error:
        return _form(request, error.status, chosen=asked.scopes, fault=next(iter(forms.faults(error).values())))
    await audit.note(pool, signed.account_id, actor, "key.created", address_of(request), id=made.id, name=made.name)
    state = request.app.state
    body = reference(state.document, state.settings.base_url, made.key, made.scopes)
    return html(request, body)


def _allowed(request: AnyRequest) -> dict[Scope, str]:
    """The scopes of such a key: what the member may do in the dashboard, too. Only an admin changes field mappings,
    which `write` allows."""
    role = signed_in(request).role
    return {scope: text for scope, text in ALLOWS.items() if scope != "write" or at_least(role, "admin")}


def _form(request: AnyRequest, status: int = 200, **values: Any) -> Response[str]:
    return page(request, "reference_key.html", status, **{"allows": _allowed(request), "fault": "", **values})


handlers = (ask, make)
