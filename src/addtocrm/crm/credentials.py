"""How a connection's CRM is asked: its tokens, which are sealed, refreshed once for all hosts, and may end."""

import asyncio
import math
from typing import Any

import asyncpg
import msgspec
import structlog

from addtocrm.core import secrets
from addtocrm.core.db.pool import Connection as Database
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.outgoing.leases import Busy
from addtocrm.crm import oauth, registry, store, values
from addtocrm.crm.calling import Calls
from addtocrm.crm.contract import Definition
from addtocrm.crm.failures import Expired, Failure, NotFound, RateLimited, Rejected, Unavailable
from addtocrm.crm.oauth import Tokens
from addtocrm.crm.setup import Setup
from addtocrm.crm.surely import surely
from addtocrm.events import service as events

log = structlog.get_logger()

NOT_CONNECTED = "No CRM is connected; connect one in the dashboard or with `addtocrm crm connect`."
ENDED = "The CRM was disconnected meanwhile; start over."
CLOSED = (
    "This server cannot open the stored access to the CRM; its operator finds the reason in its log and by `addtocrm "
    "doctor`. Nothing was written."
)
EXPIRED = "The CRM no longer takes the stored access; reconnect it."


async def active(db: Database | Pool, account_id: str, lock: str = "") -> asyncpg.Record:
    """The account's active connection. Raises ApiError `crm_not_connected`."""
    row = await store.active(db, account_id, lock)
    if row is None:
        raise ApiError("crm_not_connected", NOT_CONNECTED)
    return row


async def still_connected(db: Database | Pool, id: str) -> asyncpg.Record:
    """A connection, active or not. Raises ApiError `crm_not_connected` where it was disconnected."""
    row = await store.connection(db, id)
    if row is None:
        raise ApiError("crm_not_connected", ENDED)
    return row


def definition_of(row: asyncpg.Record) -> Definition:
    """The connector of a connection. Raises ApiError."""
    definition = registry.load().get(row["crm"])
    if definition is None:
        raise ApiError("crm_not_connected", f"This version has no connector to {row['crm']}; connect another CRM.")
    return definition


async def calls_of(setup: Setup, row: asyncpg.Record, *, bulk: bool = False) -> Calls | None:
    """The way to the vendor of a connection; None for the built-in CRM. Raises ApiError, and Failure where a token that
    ended cannot be refreshed."""
    definition = definition_of(row)
    if definition.vendor is None:
        return None
    if row["status"] == "token_expired":
        raise ApiError("crm_token_expired", EXPIRED)
    tokens = tokens_of(setup, row)
    if tokens.ends and tokens.can_be_renewed:
        tokens = await renewed(setup, row, tokens.access_token)

    async def renew(old: str) -> str:
        return (await renewed(setup, row, old)).access_token

    return calls_with(
        setup,
        definition,
        tokens,
        row["crm_account_id"],
        row["api_url"],
        renew=renew if tokens.can_be_renewed else None,
        bulk=bulk,
    )


def calls_with(
    setup: Setup, definition: Definition, tokens: Tokens, vendor_account: str, api_url: str | None, **more: Any
) -> Calls:
    """The way to the vendor with these tokens; `more` as Calls takes it."""
    assert definition.vendor is not None
    url = setup.settings.vendor(definition.name).url or api_url or definition.api_url
    auth = definition.token if tokens.private else definition.oauth
    header = definition.token.header if tokens.private and definition.token else "authorization"
    scheme = auth.scheme if auth else "Bearer"
    return Calls(
        setup.outgoing,
        definition.vendor,
        vendor_account,
        url,
        tokens.access_token,
        header=header,
        scheme=scheme,
        forbids=definition.forbids,
        **more,
    )


def tokens_of(setup: Setup, row: asyncpg.Record) -> Tokens:
    """The stored tokens in clear. Raises ApiError where this host cannot open them."""
    try:
        secret = secrets.unseal(setup.settings.data_dir, row["secret"], purpose(row["account_id"]))
    except secrets.SecretError as error:
        # The fault of this host, which cannot know what the CRM would say.
        log.error("secret_closed", account_id=row["account_id"], reason=str(error))
        raise ApiError("crm_unavailable", CLOSED, retry_after_seconds=30) from None
    return msgspec.json.decode(secret, type=Tokens)


def seal(setup: Setup, account_id: str, tokens: Tokens) -> bytes:
    """The tokens as they are stored."""
    return secrets.seal(setup.settings.data_dir, msgspec.json.encode(tokens).decode(), purpose(account_id))


def purpose(account_id: str) -> str:
    """What a token is sealed for."""
    return f"crm connection of {account_id}"


async def renewed(setup: Setup, row: asyncpg.Record, old: str) -> Tokens:
    """The tokens of the connection after `old`: refreshed by one host for all. Raises Expired, and Unavailable also
    where it was connected anew meanwhile."""
    refresh = asyncio.create_task(_refresh(setup, row, old))
    return await asyncio.shield(refresh)  # It goes on where nobody waits any more: the old ones may be used up.


async def _refresh(setup: Setup, before: asyncpg.Record, old: str) -> Tokens:
    try:
        async with setup.leases.hold(f"crm-token:{before['id']}", store.LOCK_SECONDS):
            row = await store.connection(setup.pool, before["id"])
            if row is None or row["secret"] is None:
                raise Unavailable(retry_after=1)
            tokens = tokens_of(setup, row)
            if tokens.access_token != old:
                return tokens
            if row["status"] == "token_expired":
                raise Expired(old)
            try:
                new = await oauth.refreshed(setup.outgoing, setup.settings, definition_of(row), tokens, row["auth_url"])
            except Expired:
                await _mark_expired(setup, row)
                raise
            sealed = seal(setup, row["account_id"], new)
            await surely(lambda: store.renew(setup.pool, row["id"], row["connected_at"], sealed))
            return new
    except Busy:
        raise Unavailable(retry_after=5) from None


async def _mark_expired(setup: Setup, row: asyncpg.Record) -> None:
    async with setup.pool.acquire() as db, db.transaction():
        if await store.expire(db, row["id"], row["secret"]):
            told = {"crm": row["crm"], "name": row["name"]}
            await events.append(db, row["account_id"], "crm.token_expired", "system", None, told)


async def failed(setup: Setup, row: asyncpg.Record | None, failure: Failure, path: str) -> ApiError:
    """A connector's failure for the caller. A connection whose access ended is marked."""
    if isinstance(failure, Expired) and row:
        now = await store.connection(setup.pool, row["id"])
        if now and now["status"] == "connected":
            if failure.token != tokens_of(setup, now).access_token:
                return told(Unavailable(retry_after=1), path)  # It has another one by now.
            await _mark_expired(setup, now)
    return told(failure, path)


def told(failure: Failure, path: str) -> ApiError:
    """What a failure is for the caller; the field that it names is looked for under `path` in the request."""
    match failure:
        case RateLimited():
            message = "The CRM asks to wait; send the request again after `retry_after_seconds`."
            return ApiError("crm_rate_limit", message, retry_after_seconds=max(1, math.ceil(failure.retry_after)))
        case Rejected():
            return invalid(values.path_of(failure.field, path), failure.message)
        case NotFound():
            return ApiError("not_found", f"The CRM has no {failure.what}.")
        case Expired():
            return ApiError("crm_token_expired", EXPIRED)
        case _:
            wait = failure.retry_after if isinstance(failure, Unavailable) else 30
            message = "The CRM does not answer; send the request again after `retry_after_seconds`."
            return ApiError("crm_unavailable", message, retry_after_seconds=max(1, math.ceil(wait)))
