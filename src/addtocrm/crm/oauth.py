"""OAuth 2.0 tokens of a CRM, and their refresh (RFC 6749 §5.1, §6)."""

import time
from typing import Any, cast

import msgspec

from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.failures import CallFailed
from addtocrm.core.outgoing.vendor import Account
from addtocrm.core.settings import Settings
from addtocrm.crm.contract import Definition, Expired, OAuth, Unavailable

EARLY_SECONDS = 120.0
"""A token that ends within these is refreshed before it is used."""


class Tokens(msgspec.Struct, frozen=True):
    """What is stored, sealed, of a connection by OAuth; `expires_at` in epoch seconds, None where it does not end."""

    access_token: str
    refresh_token: str | None = None
    expires_at: float | None = None

    @property
    def ends(self) -> bool:
        return self.expires_at is not None and self.expires_at - time.time() < EARLY_SECONDS


async def refreshed(outgoing: Outgoing, settings: Settings, definition: Definition, tokens: Tokens) -> Tokens:
    """New tokens for the old ones. Raises Expired where the CRM takes the old ones no more, and Unavailable."""
    assert isinstance(definition.auth, OAuth) and definition.vendor is not None
    if tokens.refresh_token is None:
        raise Expired
    app = settings.vendor(definition.name)
    form = {
        "grant_type": "refresh_token",
        "refresh_token": tokens.refresh_token,
        "client_id": app.client_id or "",
        "client_secret": app.client_secret or "",
    }
    try:
        # Asking again after no answer might find the old refresh token used up.
        reply = await outgoing.call(
            Account(definition.vendor, "oauth"), "POST", definition.auth.token_url, form=form, idempotent=False
        )
    except CallFailed as failure:
        raise Unavailable(failure.retry_after or 30) from None
    data = cast(dict[str, Any], reply.data) if isinstance(reply.data, dict) else {}
    if reply.status >= 400:
        # `invalid_client` is the operator's fault, which connecting again would not mend.
        raise Expired if data.get("error") == "invalid_grant" else Unavailable
    if not isinstance(data.get("access_token"), str):
        raise Unavailable
    seconds = data.get("expires_in")
    return Tokens(
        data["access_token"],
        str(data.get("refresh_token") or tokens.refresh_token),
        time.time() + float(seconds) if isinstance(seconds, (int, float)) else None,
    )
