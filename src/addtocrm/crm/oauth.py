"""OAuth 2.0 at a CRM (RFC 6749): the authorization request, tokens and their refresh, and how they are taken back."""

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.failures import CallFailed
from addtocrm.core.outgoing.vendor import Account, Vendor
from addtocrm.core.settings import Settings
from addtocrm.crm.contract import Definition, OAuth, Refusal
from addtocrm.crm.failures import Expired, RateLimited, Rejected, Unavailable

LONGEST = 1e10
EARLY_SECONDS = 120.0
"""A token that ends within these is refreshed before it is used."""
REFUSALS: Mapping[str, Refusal] = {
    "invalid_grant": "grant",
    "invalid_client": "app",
    "unauthorized_client": "app",
    "slow_down": "often",
}
"""RFC 6749 §5.2 and RFC 8628 §3.5."""
PASSING = ("server_error", "temporarily_unavailable")
"""RFC 6749 §4.1.2.1. Another `error` refuses what was given."""
TOO_MANY_SECONDS = 60.0


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored, sealed, of a connection; `expires_at` in epoch seconds, None where it does not end.

    `private`: a token that was made by hand. `client`: the id and secret for which the next one is got.
    """

    access_token: str
    refresh_token: str | None = None
    expires_at: float | None = None
    private: bool = False
    client: tuple[str, str] | None = None

    @property
    def ends(self) -> bool:
        return self.expires_at is not None and self.expires_at - time.time() < EARLY_SECONDS

    @property
    def can_be_renewed(self) -> bool:
        return self.refresh_token is not None or self.client is not None


class Granted(msgspec.Struct, frozen=True):
    """Tokens, and the addresses to go on at, where the vendor gave some."""

    tokens: Tokens
    api_url: str | None = None
    auth_url: str | None = None


def redirect_uri(settings: Settings, crm: str) -> str:
    """Where the CRM sends the browser back to."""
    return f"{settings.base_url}/oauth/crm/{crm}/callback"


def authorize_url(settings: Settings, definition: Definition, state: str, verifier: str | None) -> str:
    """The address that the user opens to give access. Raises Rejected where the deployment has no app at the CRM."""
    oauth, (id, _) = _oauth(definition), app(settings, definition)
    query = {
        "response_type": "code",
        "client_id": id,
        "redirect_uri": redirect_uri(settings, definition.name),
        **({"scope": oauth.separator.join(oauth.scopes)} if oauth.scopes else {}),
        "state": state,
        **oauth.extra,
    }
    if verifier:
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        query |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    return f"{_at(settings, definition, oauth.authorize_url)}?{urlencode(query)}"


def new_verifier(definition: Definition) -> str | None:
    """A PKCE verifier (RFC 7636 §4.1), where the CRM has that."""
    return secrets.token_urlsafe(48) if _oauth(definition).pkce else None


async def exchanged(
    outgoing: Outgoing, settings: Settings, definition: Definition, params: Mapping[str, str], verifier: str | None
) -> Granted:
    """The tokens for the callback's `code`. Raises Rejected, RateLimited, Unavailable."""
    auth_url = _followed(definition, params.get(_oauth(definition).auth_key or ""))
    form = {
        "grant_type": "authorization_code",
        "code": params["code"],
        "redirect_uri": redirect_uri(settings, definition.name),
        **({"code_verifier": verifier} if verifier else {}),
    }
    return await _asked(outgoing, settings, definition, form, app(settings, definition), auth_url)


async def by_hand(outgoing: Outgoing, settings: Settings, definition: Definition, token: str) -> Granted:
    """What the user's own `token` gives (see `TokenAuth.grant`). Raises Rejected, RateLimited, Unavailable."""
    assert definition.token is not None
    id, colon, rest = token.partition(":")
    if definition.token.grant == "client_credentials" and colon:
        secret, at, host = rest.partition("@")
        auth_url = _followed(definition, host)
        if at and auth_url is None:
            raise Rejected("token", f"names {host[:100]}, which is no host of {definition.label}.")
        form = {"grant_type": "client_credentials"}
        return await _asked(outgoing, settings, definition, form, (id, secret), auth_url)
    if definition.token.grant == "authorization_code" and settings.vendor(definition.name).client_id:
        form = {"grant_type": "authorization_code", "code": token}
        try:
            return await _asked(outgoing, settings, definition, form, app(settings, definition), None)
        except Rejected as refusal:
            if refusal.field != "token":
                raise
    return Granted(Tokens(access_token=token, private=True))


async def refreshed(
    outgoing: Outgoing, settings: Settings, definition: Definition, tokens: Tokens, auth_url: str | None
) -> Tokens:
    """New tokens for the old ones. Raises Expired where the CRM takes the old ones no more, RateLimited and
    Unavailable."""
    if tokens.client is not None:
        form = {"grant_type": "client_credentials"}
    elif tokens.refresh_token is not None:
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token}
    else:
        raise Expired(tokens.access_token)
    try:
        client = tokens.client or app(settings, definition)
        new = (await _asked(outgoing, settings, definition, form, client, auth_url)).tokens
    except Rejected as refusal:
        # What is the operator's fault, connecting again would not mend.
        raise Expired(tokens.access_token) if refusal.field == "token" else Unavailable() from None
    return msgspec.structs.replace(new, refresh_token=new.refresh_token or tokens.refresh_token)


async def revoke(
    outgoing: Outgoing, settings: Settings, definition: Definition, tokens: Tokens, auth_url: str | None
) -> None:
    """Takes the access back at the CRM, where that can be done; that it fails is no error."""
    oauth = definition.oauth
    token = tokens.refresh_token or tokens.access_token
    if oauth is None or oauth.revoke_url is None or tokens.private:
        return
    url = _at(settings, definition, oauth.revoke_url, auth_url)
    try:
        headers, form = _client(oauth, tokens.client or app(settings, definition))
        await outgoing.call(
            _account(definition, url, token),
            "POST",
            url,
            headers=headers,
            form={**form, "token": token},
            idempotent=True,
            within=10.0,
        )
    except (CallFailed, Rejected):
        return


def app(settings: Settings, definition: Definition) -> tuple[str, str]:
    """The deployment's app at the CRM: its id and secret. Raises Rejected where there is none."""
    vendor = settings.vendor(definition.name)
    if not vendor.client_id or not vendor.client_secret:
        start = f"ADDTOCRM_{definition.name.upper()}_CLIENT_"
        raise Rejected(
            "crm",
            f"{definition.label} is connected by OAuth, and this server has no app there: its operator sets {start}ID "
            f"and {start}SECRET." + (f" Or connect with a token: {definition.token.where}" if definition.token else ""),
        )
    return vendor.client_id, vendor.client_secret


async def _asked(
    outgoing: Outgoing,
    settings: Settings,
    definition: Definition,
    form: Mapping[str, str],
    client: tuple[str, str],
    auth_url: str | None,
) -> Granted:
    """The token endpoint's answer. Raises Rejected (`field` is `token` where what was given is refused), RateLimited
    and Unavailable."""
    oauth = _oauth(definition)
    headers, named = _client(oauth, client)
    url = _at(settings, definition, oauth.token_url, auth_url)
    try:
        # Asking again after no answer might find a code or refresh token used up.
        reply = await outgoing.call(
            _account(definition, url, form.get("refresh_token") or form.get("code") or ":".join(client)),
            "POST",
            url,
            headers=headers,
            form={**form, **named},
            idempotent=False,
        )
    except CallFailed as failure:
        raise Unavailable(failure.retry_after or 30) from None
    data = cast(dict[str, Any], reply.data) if isinstance(reply.data, dict) else {}
    access = data.get("access_token")
    if not isinstance(access, str) or not access or not (access.isascii() and access.isprintable()):
        match _refusal(oauth, reply.status, data):
            case "app" if form["grant_type"] != "client_credentials":
                raise Rejected(
                    "crm", f"{definition.label} does not accept this server's app; its operator checks its secret."
                )
            case "often":
                raise RateLimited(TOO_MANY_SECONDS)
            case "grant" | "app":
                raise Rejected("token", f"is not accepted by {definition.label}; reconnect it.")
            case None:
                raise Unavailable
    seconds, refresh = data.get("expires_in"), data.get("refresh_token")
    tokens = Tokens(
        access_token=access,
        refresh_token=refresh if isinstance(refresh, str) and refresh else None,
        expires_at=time.time() + seconds if isinstance(seconds, int | float) and 0 <= seconds < LONGEST else None,
        client=client if form["grant_type"] == "client_credentials" else None,
    )
    return Granted(tokens, _followed(definition, data.get(oauth.api_key or "")), auth_url)


def _refusal(oauth: OAuth, status: int, data: Mapping[str, Any]) -> Refusal | None:
    """What an answer without a token refuses; None where it only fails."""
    known: dict[str, Refusal] = {**REFUSALS, **oauth.refusals}
    for text in data.values():
        if isinstance(text, str) and text in known:
            return known[text]
    if status == 401:
        return "app"
    error = data.get("error")
    return "grant" if isinstance(error, str) and error not in PASSING else None


def _client(oauth: OAuth, client: tuple[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """How an app names itself at the token endpoint: (headers, form) (RFC 6749 §2.3.1)."""
    if oauth.basic:
        text = base64.b64encode(":".join(client).encode()).decode()
        return {"authorization": f"Basic {text}"}, {}
    return {}, {"client_id": client[0], "client_secret": client[1]}


def _account(definition: Definition, url: str, secret: str) -> Account:
    """Whose failures at the sign-in address these are: nobody's else, and no other host's."""
    vendor = Vendor(name=f"{definition.name}-oauth")
    whose = hashlib.blake2b(secret.encode(), digest_size=8).hexdigest()
    return Account(vendor, f"{urlsplit(url).netloc}:{whose}")


def _followed(definition: Definition, address: Any) -> str | None:
    """The origin of an address that the vendor gave, where it is the vendor's own."""
    if not isinstance(address, str) or not address:
        return None
    try:
        split = urlsplit(address if "//" in address else f"https://{address}")
        host, port = (split.hostname or "").lower(), split.port
    except ValueError:
        return None
    own = any(host.endswith(one) if one.startswith(".") else host == one for one in definition.hosts)
    plain = host.isascii() and split.scheme == "https" and "@" not in split.netloc
    return f"https://{host}{f':{port}' if port else ''}" if own and plain else None


def _at(settings: Settings, definition: Definition, usual: str, auth_url: str | None = None) -> str:
    """A sign-in address, at the operator's base where one is set, else at the one that the vendor gave."""
    vendor = settings.vendor(definition.name)
    base = vendor.auth_url or vendor.url or auth_url
    if base is None:
        return usual
    start, path = urlsplit(base), urlsplit(usual)
    return urlunsplit((start.scheme, start.netloc, start.path.rstrip("/") + path.path, path.query, ""))


def _oauth(definition: Definition) -> OAuth:
    assert definition.oauth is not None
    return definition.oauth
