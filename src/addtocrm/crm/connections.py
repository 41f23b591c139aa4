"""The account's one active CRM: connecting it, and opening it for a piece of work."""

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import asyncpg
import msgspec
import structlog

from addtocrm.core import secrets
from addtocrm.core.db.pool import DATABASE_FAILURES, Pool
from addtocrm.core.db.pool import Connection as Database
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.outgoing.leases import Busy, Lease, Leases, Lost
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
    OAuth,
    RateLimited,
    Rejected,
    Unavailable,
)
from addtocrm.crm.model import Connection
from addtocrm.crm.oauth import Tokens, refreshed
from addtocrm.crm.setup import Setup
from addtocrm.events import service as events
from addtocrm.privacy import service as suppressions

log = structlog.get_logger()

NOT_CONNECTED = "No CRM is connected; connect one in the dashboard or with `addtocrm crm connect`."
KEEP_SECONDS = 60.0
KEEP_PAUSE_SECONDS = 0.5
CLOSED = (
    "This server cannot open the stored access to the CRM; its operator finds the reason in its log and by `addtocrm "
    "doctor`. Nothing was written."
)
EXPIRED = "The CRM no longer takes the stored access; connect it again."


class Open(msgspec.Struct, frozen=True):
    """The active CRM, open for reading."""

    definition: Definition
    connector: Connector


Told = Callable[[Database], Awaitable[object]]


class OpenForWriting(Open, frozen=True):
    """The active CRM, open for writing.

    `told` is what our own database is told of the work: in the transaction of the built-in CRM, else in one right after
    it, also where a later step fails. `hold(numbers)` keeps what identifies a record (see `matching.locks`) for this
    work alone, and raises Unavailable where others keep it too long; `check()` raises it where it may be theirs by now.
    """

    told: list[Told]
    hold: Callable[[Sequence[int]], Awaitable[None]]
    check: Callable[[], None]


async def connect(
    setup: Setup,
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
    if isinstance(definition.auth, OAuth):
        raise invalid("crm", f"{definition.label} is connected by OAuth, which this version cannot begin.")
    if token and not (token.isascii() and token.isprintable()):
        raise invalid("token", f"is no token of {definition.label}: it holds characters that none has.")
    if not isinstance(definition.auth, NoAuth) and not token:
        raise invalid("token", f"is required for {definition.label}: {definition.auth.where}")
    access = Access(account_id, account_id, setup.settings, token, setup.outgoing, setup.pool)
    try:
        owner = await definition.open(access).info()
    except (Expired, Rejected):
        raise invalid("token", f"is not accepted by {definition.label}.") from None
    except Failure as failure:
        raise _told(failure, "") from None
    sealed = secrets.seal(setup.settings.data_dir, token, _purpose(account_id)) if token else None
    async with setup.pool.acquire() as db, db.transaction():
        await store.hold(db, [_number(f"crm connection {account_id}")])
        before = await store.connection(db, account_id, "for update")
        same = before and (before["crm"], before["crm_account_id"]) == (crm, owner.id)
        if not (before and same and before["status"] == "connected" and sealed is None):
            await store.connect(db, account_id, crm, definition.label, owner.id, owner.name, sealed)
        told = {"crm": crm, "name": definition.label, "account_id": owner.id}
        if before and not same:
            data = {**told, "from": before["crm"]}
            await events.append(db, account_id, "crm.switched", actor, request_id, data)
        elif not before or before["status"] != "connected":
            await events.append(db, account_id, "crm.connected", actor, request_id, told)
    return await info(setup.pool, account_id)


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
    if (closed := (await sealed(pool, settings))[1]) > 0:
        raise secrets.SecretError(
            f"{closed} CRM tokens do not open with {secrets.FILE} of this host; nothing was changed."
        )
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
async def reading(setup: Setup, account_id: str) -> AsyncIterator[Open]:
    """The active CRM for reading. A connector's failure inside the block becomes an ApiError."""
    row = await _row(setup.pool, account_id)
    access = None
    try:
        access = await _access(setup, row, account_id)
        yield Open(_definition(row), _definition(row).open(access))
    except Failure as failure:
        raise await _failed(setup, account_id, row, access, failure, "") from None


@asynccontextmanager
async def writing(
    setup: Setup,
    account_id: str,
    expected_crm: str | None,
    path: str = "",
    about: Sequence[bytes] = (),
    *,
    bulk: bool = False,
) -> AsyncIterator[OpenForWriting]:
    """The active CRM for writing: the built-in one in one transaction of our database, another without any; in `bulk`
    its vendor is asked after single calls.

    A connector's failure inside the block becomes an ApiError; the field that it names is looked for under `path` in
    the request. Raises ApiError where `expected_crm` is another, and where somebody of `about` asked to be forgotten.
    """
    row = access = None
    try:
        async with AsyncExitStack() as stack:
            db = await stack.enter_async_context(setup.pool.acquire())
            await stack.enter_async_context(db.transaction())
            row = await _row(db, account_id, "for share")
            if expected_crm is not None and expected_crm != row["crm"]:
                raise invalid("expected_crm", f"the active CRM is {row['crm']}; nothing was written.")
            if about and await suppressions.first_suppressed(db, [about]) is not None:
                raise invalid(path, "asked to be forgotten; nothing was written.")
            definition, told = _definition(row), list[Told]()
            if definition.vendor is None:
                connector = definition.open(
                    Access(account_id, row["crm_account_id"], setup.settings, None, setup.outgoing, db, writing=True)
                )
                yield OpenForWriting(definition, connector, told, partial(_lock, db), lambda: None)
                await _tell(db, told)
                return
            await stack.aclose()
            access = await _access(setup, row, account_id, bulk=bulk)
            kept = Kept(setup.leases, stack)
            try:
                yield OpenForWriting(definition, definition.open(access), told, kept.hold, kept.check)
            finally:
                if told:
                    telling = asyncio.create_task(_surely(lambda: _tell_alone(setup.pool, told)))
                    await asyncio.shield(telling)
    except Failure as failure:
        raise await _failed(setup, account_id, row, access, failure, path) from None


class Kept:
    """The leases of one piece of work, which end with `stack`."""

    def __init__(self, leases: Leases, stack: AsyncExitStack) -> None:
        self._leases, self._stack = leases, stack
        self._held: list[Lease] = []

    async def hold(self, numbers: Sequence[int]) -> None:
        try:
            for number in sorted(set(numbers)):
                lease = self._leases.hold(f"crm:{number}", store.LOCK_SECONDS)
                self._held.append(await self._stack.enter_async_context(lease))
        except Busy:
            raise Unavailable(retry_after=5) from None

    def check(self) -> None:
        try:
            for lease in self._held:
                lease.check()
        except Lost:
            raise Unavailable(retry_after=5) from None


async def _lock(db: Database, numbers: Sequence[int]) -> None:
    try:
        await store.hold(db, numbers)
    except TimeoutError:
        raise Unavailable(retry_after=5) from None


async def _tell(db: Database, told: Sequence[Told]) -> None:
    for tell in told:
        await tell(db)


async def _tell_alone(pool: Pool, told: Sequence[Told]) -> None:
    async with pool.acquire() as db, db.transaction():
        await _tell(db, told)


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


async def _access(setup: Setup, row: asyncpg.Record, account_id: str, *, bulk: bool = False) -> Access:
    """What a connector outside a transaction is opened with. Raises ApiError, and Failure where a token that ended
    cannot be refreshed."""
    if row["status"] == "token_expired":
        raise ApiError("crm_token_expired", EXPIRED)
    secret = _unsealed(setup, row, account_id)
    if secret is not None and isinstance(_definition(row).auth, OAuth):
        tokens = msgspec.json.decode(secret, type=Tokens)
        secret = (await _renewed(setup, account_id, row, tokens.access_token) if tokens.ends else tokens).access_token
    return Access(account_id, row["crm_account_id"], setup.settings, secret, setup.outgoing, setup.pool, bulk=bulk)


def _unsealed(setup: Setup, row: asyncpg.Record, account_id: str) -> str | None:
    if row["secret"] is None:
        return None
    try:
        return secrets.unseal(setup.settings.data_dir, row["secret"], _purpose(account_id))
    except secrets.SecretError as error:
        # The fault of this host, which cannot know what the CRM would say.
        log.error("secret_closed", account_id=account_id, reason=str(error))
        raise ApiError("crm_unavailable", CLOSED, retry_after_seconds=30) from None


async def _renewed(setup: Setup, account_id: str, before: asyncpg.Record, old: str) -> Tokens:
    """The tokens of the connection `before` after `old`: refreshed by one host for all. Raises Expired, and Unavailable
    also where another CRM was connected meanwhile."""
    refresh = asyncio.create_task(_refresh(setup, account_id, before, old))
    return await asyncio.shield(refresh)  # It goes on where nobody waits any more: the old ones may be used up.


async def _refresh(setup: Setup, account_id: str, before: asyncpg.Record, old: str) -> Tokens:
    try:
        async with setup.leases.hold(f"crm-token:{account_id}", store.LOCK_SECONDS):
            row = await _row(setup.pool, account_id)
            secret = _unsealed(setup, row, account_id)
            if secret is None or (row["crm"], row["connected_at"]) != (before["crm"], before["connected_at"]):
                raise Unavailable(retry_after=1)
            tokens = msgspec.json.decode(secret, type=Tokens)
            if tokens.access_token != old:
                return tokens
            new = await refreshed(setup.outgoing, setup.settings, _definition(row), tokens)
            sealed = secrets.seal(setup.settings.data_dir, msgspec.json.encode(new).decode(), _purpose(account_id))
            await _surely(lambda: store.renew(setup.pool, account_id, row["connected_at"], sealed))
            return new
    except Busy:
        raise Unavailable(retry_after=5) from None


async def _surely(work: Callable[[], Awaitable[None]]) -> None:
    """Writes what must not be lost: while the database is away it is tried again, for KEEP_SECONDS."""
    until = asyncio.get_running_loop().time() + KEEP_SECONDS
    while True:
        try:
            return await work()
        except DATABASE_FAILURES as error:
            if asyncio.get_running_loop().time() > until:
                raise
            log.warning("crm_not_kept_yet", error=type(error).__name__)
            await asyncio.sleep(KEEP_PAUSE_SECONDS)


async def _failed(
    setup: Setup, account_id: str, row: asyncpg.Record | None, access: Access | None, failure: Failure, path: str
) -> ApiError:
    if isinstance(failure, Expired) and row and access and access.secret and isinstance(_definition(row).auth, OAuth):
        try:
            await _renewed(setup, account_id, row, access.secret)
            failure = Unavailable(retry_after=1)
        except Failure as final:
            failure = final
    if isinstance(failure, Expired) and row:
        async with setup.pool.acquire() as db, db.transaction():
            if await store.expire(db, account_id, row["connected_at"], row["secret"]):
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
