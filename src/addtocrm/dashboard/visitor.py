"""Who looks at a page."""

import hmac
import secrets
from typing import Any, cast

import msgspec
from litestar import Request

from addtocrm.core.caller import Caller
from addtocrm.tenants.sessions.model import Signed
from addtocrm.web.exchange import exchange_of

AnyRequest = Request[Any, Any, Any]
SALT_BYTES = 8


class Visitor(msgspec.Struct, frozen=True):
    """Who looks at a page: `signed` is None for nobody known. `secret` is what their cookie has, from which the token
    in each form is made; `renewed` says that the cookie is to live longer, as the session does."""

    signed: Signed | None
    secret: str
    renewed: bool = False

    @property
    def csrf(self) -> str:
        """What each form of a page carries, and no other site knows. It is another one each time, for a page that is
        compressed would tell by its length what it has in common with what others put there (BREACH)."""
        return self._csrf(secrets.token_hex(SALT_BYTES))

    def has_given(self, csrf: str) -> bool:
        """Whether this is a token of a page that was made for them."""
        return hmac.compare_digest(csrf.encode(), self._csrf(csrf[: SALT_BYTES * 2]).encode())

    def _csrf(self, salt: str) -> str:
        return salt + hmac.digest(self.secret.encode(), f"csrf:{salt}".encode(), "sha256").hex()

    def __repr__(self) -> str:
        return "Visitor(…)"


def visitor_of(request: AnyRequest) -> Visitor:
    """Who looks, as `guard.look` found."""
    return cast(dict[str, Any], request.scope)["addtocrm.visitor"]


def signed_in(request: AnyRequest) -> Signed:
    """Who is signed in, on a page that only such people see."""
    signed = visitor_of(request).signed
    assert signed is not None
    return signed


def caller_of(request: AnyRequest) -> Caller:
    """On whose behalf the page does something."""
    signed = signed_in(request)
    return Caller(signed.account_id, f"user:{signed.member_id}", exchange_of(request.scope).request_id)


def address_of(request: AnyRequest) -> str:
    """The address that the visitor comes from."""
    return exchange_of(request.scope).client
