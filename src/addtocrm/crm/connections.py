"""The account's one active CRM: connecting it, and opening it for a piece of work."""

import hashlib
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import msgspec
import structlog

from addtocrm.core import secrets
from addtocrm.core.db.pool import Connection as Database
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.settings import Settings
from addtocrm.core.times import rfc3339
from addtocrm.crm import registry, store
from addtocrm.crm.contract import (
    CUSTOM,
    Access,
    Connector,
    Definition,
    Expired,
    Failure,
    NoAuth,
    NotFound,
    RateLimited,
    Rejected,
    TokenAuth,
    Unavailable,
)
from addtocrm.crm.model import Connection
from addtocrm.events import service as events
from addtocrm.privacy import service as suppressions

log = structlog.get_logger()

NOT_CONNECTED = "No CRM is connected; connect one in the dashboard or with `addtocrm crm connect`."
CLOSED = (
    "This server cannot open the stored access to the CRM; its operator finds the reason in its log and by `addtocrm "
    "doctor`. Nothing was written."
)
EXPIRED = "The CRM no longer takes the stored access; connect it again."


class Open(msgspec.Struct, frozen=True):
    """The active CRM, open for reading."""

    definition: Definition
    connector: Connector


class OpenForWriting(Open, frozen=True):
    """The active CRM, open for writing: what `db` does is committed with the work."""

    db: Database


async def connect(
    pool: Pool,
    settings: Settings,
    account_id: str,
    crm: str,
    *,
    token: str | None = None,
    actor: str = "operator",
    request_id: str | None = None,
) -> Connection:
    """Makes `crm` the account's active CRM, in place of the one before.

    Raises ApiError for a CRM that there is not, and for a token that is missing or not accepted.
    """
    definition = registry.load().get(crm)
    if definition is None:
        raise invalid("crm", f"is one of {', '.join(registry.load())}.")
    if isinstance(definition.auth, NoAuth) and token:
        raise invalid("token", f"is not for {definition.label}, which needs none.")
    if not isinstance(definition.auth, NoAuth) and not token:
        where = f": {definition.auth.where}" if isinstance(definition.auth, TokenAuth) else ""
        raise invalid("token", f"is required for {definition.label}{where}.")
    try:
        async with pool.acquire() as db, db.transaction():
            await store.hold(db, [_number(f"crm connection {account_id}")])
            before = await store.connection(db, account_id, "for update")
            access = Access(account_id, settings, token, db, writing=True)
            owner = await definition.open(access).info()
            sealed = secrets.seal(settings.data_dir, token, _purpose(account_id)) if token else None
            same = before and (before["crm"], before["crm_account_id"]) == (crm, owner.id)
            if not (before and same and before["status"] == "connected" and sealed is None):
                await store.connect(db, account_id, crm, definition.label, owner.id, owner.name, sealed)
            told = {"crm": crm, "name": definition.label, "account_id": owner.id}
            if before and not same:
                data = {**told, "from": before["crm"]}
                await events.append(db, account_id, "crm.switched", actor, request_id, data)
            elif not before or before["status"] != "connected":
                await events.append(db, account_id, "crm.connected", actor, request_id, told)
    except (Expired, Rejected):
        raise invalid("token", f"is not accepted by {definition.label}.") from None
    except Failure as failure:
        raise _told(failure, "") from None
    return await info(pool, account_id)


async def disconnect(pool: Pool, account_id: str, *, actor: str = "operator", request_id: str | None = None) -> None:
    """Ends the connection; what is in the CRM stays there. Raises ApiError `crm_not_connected`."""
    async with pool.acquire() as db, db.transaction():
        row = await store.disconnect(db, account_id)
        if row is None:
            raise ApiError("crm_not_connected", NOT_CONNECTED)
        await events.append(db, account_id, "crm.disconnected", actor, request_id, dict(row))


async def info(pool: Pool, account_id: str) -> Connection:
    """The active CRM. Raises ApiError `crm_not_connected`."""
    row = await _row(pool, account_id)
    return Connection(
        crm=row["crm"],
        name=row["name"],
        account_id=row["crm_account_id"],
        account_name=row["crm_account_name"],
        connected_at=rfc3339(row["connected_at"]),
        status=row["status"],
        capabilities=_definition(row).capabilities,
    )


async def rotate_key(pool: Pool, settings: Settings) -> int:
    """Seals every stored token with a new key; gives how many."""
    secrets.rotate(settings.data_dir)
    async with pool.acquire() as db, db.transaction():
        rows = await store.sealed(db, "for update")
        for row in rows:
            purpose = _purpose(row["account_id"])
            secret = secrets.unseal(settings.data_dir, row["secret"], purpose)
            await store.reseal(db, row["account_id"], secrets.seal(settings.data_dir, secret, purpose))
        await suppressions.reseal(db, settings.data_dir)
    return len(rows)


async def sealed(pool: Pool, settings: Settings) -> tuple[int, int]:
    """How many tokens are stored, and how many of them the key file of this host does not open."""
    rows = await store.sealed(pool)
    closed = 0
    for row in rows:
        try:
            secrets.unseal(settings.data_dir, row["secret"], _purpose(row["account_id"]))
        except secrets.SecretError:
            closed += 1
    return len(rows), closed


@asynccontextmanager
async def reading(pool: Pool, settings: Settings, account_id: str) -> AsyncIterator[Open]:
    """The active CRM for reading. A connector's failure inside the block becomes an ApiError."""
    row = await _row(pool, account_id)
    try:
        yield Open(_definition(row), _open(row, account_id, settings, pool, writing=False))
    except Failure as failure:
        raise await _failed(pool, account_id, row, failure, "") from None


@asynccontextmanager
async def writing(
    pool: Pool, settings: Settings, account_id: str, expected_crm: str | None, path: str = ""
) -> AsyncIterator[OpenForWriting]:
    """The active CRM for writing, in one transaction of our database.

    A connector's failure inside the block rolls it back and becomes an ApiError; the field that it names is
    looked for under `path` in the request. Raises ApiError where `expected_crm` is another.
    """
    row = None
    try:
        async with pool.acquire() as db, db.transaction():
            row = await _row(db, account_id, "for share")
            if expected_crm is not None and expected_crm != row["crm"]:
                raise invalid("expected_crm", f"the active CRM is {row['crm']}; nothing was written.")
            connector = _open(row, account_id, settings, db, writing=True)
            yield OpenForWriting(_definition(row), connector, db)
    except Failure as failure:
        raise await _failed(pool, account_id, row, failure, path) from None


async def hold(db: Database, locks: list[int]) -> None:
    """Takes the locks of what is written (see `matching.locks`). Raises Unavailable where they stay taken."""
    try:
        await store.hold(db, locks)
    except TimeoutError:
        raise Unavailable(retry_after=5) from None


async def _row(db: Database | Pool, account_id: str, lock: str = "") -> asyncpg.Record:
    row = await store.connection(db, account_id, lock)
    if row is None:
        raise ApiError("crm_not_connected", NOT_CONNECTED)
    return row


def _definition(row: asyncpg.Record) -> Definition:
    definition = registry.load().get(row["crm"])
    if definition is None:
        raise ApiError("crm_not_connected", f"This version has no connector to {row['crm']}; connect another CRM.")
    return definition


def _open(row: asyncpg.Record, account_id: str, settings: Settings, db: Database | Pool, *, writing: bool) -> Connector:
    if row["status"] == "token_expired":
        raise ApiError("crm_token_expired", EXPIRED)
    secret = None
    if row["secret"] is not None:
        try:
            secret = secrets.unseal(settings.data_dir, row["secret"], _purpose(account_id))
        except secrets.SecretError as error:
            # The fault of this host, which cannot know what the CRM would say.
            log.error("secret_closed", account_id=account_id, reason=str(error))
            raise ApiError("crm_unavailable", CLOSED, retry_after_seconds=30) from None
    return _definition(row).open(Access(account_id, settings, secret, db, writing))


async def _failed(pool: Pool, account_id: str, row: asyncpg.Record | None, failure: Failure, path: str) -> ApiError:
    if isinstance(failure, Expired) and row:
        async with pool.acquire() as db, db.transaction():
            if await store.expire(db, account_id, row["connected_at"]):
                told = {"crm": row["crm"], "name": row["name"]}
                await events.append(db, account_id, "crm.token_expired", "system", None, told)
    return _told(failure, path)


def _told(failure: Failure, path: str) -> ApiError:
    match failure:
        case RateLimited():
            message = "The CRM asks to wait; send the request again after `retry_after_seconds`."
            return ApiError("crm_rate_limit", message, retry_after_seconds=max(1, math.ceil(failure.retry_after)))
        case Rejected():
            named = f"{path}.{failure.field}" if path and not failure.field.startswith(CUSTOM) else failure.field
            return invalid(named if failure.field else "", failure.message)
        case NotFound():
            return ApiError("not_found", f"The CRM has no {failure.what}.")
        case Expired():
            return ApiError("crm_token_expired", EXPIRED)
        case _:
            wait = failure.retry_after if isinstance(failure, Unavailable) else 30
            message = "The CRM does not answer; send the request again after `retry_after_seconds`."
            return ApiError("crm_unavailable", message, retry_after_seconds=max(1, math.ceil(wait)))


def _purpose(account_id: str) -> str:
    return f"crm connection of {account_id}"


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), signed=True)
