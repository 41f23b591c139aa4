"""Opening the account's active CRM for a piece of work, and what its failures are for the caller."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import msgspec
import structlog

from addtocrm.core import secrets
from addtocrm.core.db.pool import DATABASE_FAILURES, Pool
from addtocrm.core.db.pool import Connection as Database
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.outgoing.leases import Busy, Leased, Leases, Lost
from addtocrm.crm import known, mapping, oauth, registry, store
from addtocrm.crm.calling import Calls
from addtocrm.crm.contract import (
    CUSTOM,
    Access,
    Connector,
    Definition,
    Expired,
    Failure,
    Field,
    Kind,
    NotFound,
    RateLimited,
    Rejected,
    Rule,
    Unavailable,
)
from addtocrm.crm.oauth import Tokens
from addtocrm.crm.setup import Setup
from addtocrm.events import service as events
from addtocrm.privacy import service as suppressions

log = structlog.get_logger()

NOT_CONNECTED = "No CRM is connected; connect one in the dashboard or with `addtocrm crm connect`."
OUR_FAULT = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, asyncpg.SyntaxOrAccessError)
"""What a statement fails at however often it is tried."""
KEEP_SECONDS = 60.0
KEEP_PAUSE_SECONDS = 0.5
CLOSED = (
    "This server cannot open the stored access to the CRM; its operator finds the reason in its log and by `addtocrm "
    "doctor`. Nothing was written."
)
EXPIRED = "The CRM no longer takes the stored access; connect it again."
KINDS: tuple[Kind, ...] = ("contact", "company", "lead")


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """The active CRM, open for reading. `id` is that of the connection, `options` are its settings."""

    id: str
    definition: Definition
    connector: Connector
    options: Mapping[str, str]
    reads: Mapping[Kind, set[str]]
    own: Mapping[str, list[Rule]]
    seen: dict[Kind, tuple[tuple[Rule, ...], dict[str, Field]]] = msgspec.field(default_factory=dict[Any, Any])
    """The rules and fields of each kind that was asked for."""

    @property
    def person_kind(self) -> Kind:
        """What a new person becomes."""
        return "lead" if self.options.get("contact_object") == "lead" else "contact"

    async def mapped(self, kind: Kind) -> tuple[tuple[Rule, ...], dict[str, Field]]:
        """The rules in force for a kind, and the CRM's fields by name, as they were a short while ago.

        Records are read with the rules' fields from now on.
        """
        if kind not in self.seen:
            fields = await self._fields(kind)
            if any(rule.field not in fields for rule in self.own.get(kind, ())) and self.anew(kind):
                fields = await self._fields(kind)
            rules = mapping.rules_of(self.definition, kind, self.own.get(kind), fields)
            self.reads[kind].update(rule.field for rule in rules)
            self.seen[kind] = rules, fields
        return self.seen[kind]

    async def _fields(self, kind: Kind) -> dict[str, Field]:
        return await known.fields(self.id if self.definition.vendor else None, kind, self.connector)

    def anew(self, kind: Kind) -> bool:
        """Whether it makes sense to ask the CRM for its fields anew, which is done next time then."""
        if self.definition.vendor is None or not known.is_old(self.id, kind):
            return False
        self.forget()
        return True

    def forget(self) -> None:
        """Asks the CRM anew for its fields and owners."""
        known.forget(self.id)
        self.seen.clear()


Told = Callable[[Database], Awaitable[object]]


class OpenForWriting(Open, frozen=True, kw_only=True):
    """The active CRM, open for writing.

    `told` is what our own database is told of the work: in the transaction of the built-in CRM, else in one right after
    it, also where a later step fails. `hold(numbers)` keeps what identifies a record (see `matching.locks`) for this
    work alone, `briefly(numbers)` for a part of it, and both raise Unavailable where others keep it too long; `check()`
    raises it where it may be theirs by now. To be held: people all at once, then companies all at once.
    `flush()` tells what is to be told so far at once, where there is no transaction. `pool` has the links, None for the
    built-in CRM, which needs none; `recent` are those of this work by what they are known by.
    """

    told: list[Told]
    hold: Callable[[Sequence[int]], Awaitable[None]]
    briefly: Callable[[Sequence[int]], AbstractAsyncContextManager[None]]
    check: Callable[[], None]
    flush: Callable[[], Awaitable[None]]
    pool: Pool | None
    recent: dict[bytes, Any] = msgspec.field(default_factory=dict[bytes, Any])


class Expected(msgspec.Struct, frozen=True):
    """Which CRM a write is for: by name, by the id of the connection, or whichever is active."""

    crm: str | None = None
    connection: str | None = None


@asynccontextmanager
async def reading(setup: Setup, account_id: str) -> AsyncIterator[Open]:
    """The active CRM for reading. A connector's failure inside the block becomes an ApiError."""
    row = await active(setup.pool, account_id)
    try:
        calls = await calls_of(setup, row)
        access = _access(setup, row, calls, setup.pool)
        yield Open(**_opened(row, access))
    except Failure as failure:
        raise await failed(setup, row, failure, "") from None


@asynccontextmanager
async def writing(
    setup: Setup,
    account_id: str,
    expected: Expected,
    path: str = "",
    about: Sequence[Sequence[bytes]] = (),
    *,
    bulk: bool = False,
) -> AsyncIterator[OpenForWriting]:
    """The active CRM for writing: the built-in one in one transaction of our database, another without any; in `bulk`
    its vendor is asked after single calls.

    A connector's failure inside the block becomes an ApiError; the field that it names is looked for under `path` in
    the request. Raises ApiError where another CRM is `expected`, and where somebody of `about` asked to be forgotten.
    """
    row = None
    try:
        async with AsyncExitStack() as stack:
            db = await stack.enter_async_context(setup.pool.acquire())
            await stack.enter_async_context(db.transaction())
            row = await active(db, account_id, "for share")
            check_expected(row, expected)
            if about and await suppressions.first_suppressed(db, about) is not None:
                raise invalid(path, "asked to be forgotten; nothing was written.")
            told = list[Told]()
            if definition_of(row).vendor is None:
                access = _access(setup, row, None, db, writing=True)
                yield OpenForWriting(
                    **_opened(row, access),
                    told=told,
                    hold=partial(_lock, db),
                    briefly=partial(_locked, db),
                    check=lambda: None,
                    flush=_nothing,
                    pool=None,
                )
                await _tell(db, told)
                return
            await stack.aclose()
            access = _access(setup, row, await calls_of(setup, row, bulk=bulk), setup.pool, writing=True)
            kept = Kept(setup.leases, stack)
            try:
                yield OpenForWriting(
                    **_opened(row, access),
                    told=told,
                    hold=kept.hold,
                    briefly=kept.briefly,
                    check=kept.check,
                    flush=partial(_flush, setup.pool, told),
                    pool=setup.pool,
                )
            finally:
                await _flush(setup.pool, told)
    except Failure as failure:
        raise await failed(setup, row, failure, path) from None


def check_expected(row: asyncpg.Record, expected: Expected) -> None:
    """Raises ApiError where the connection is another than `expected`."""
    if expected.connection is not None and expected.connection != row["id"]:
        raise invalid("expected_crm", f"the active CRM was switched to {row['crm']} meanwhile; nothing was written.")
    if expected.crm is not None and expected.crm != row["crm"]:
        raise invalid("expected_crm", f"the active CRM is {row['crm']}; nothing was written.")


class Kept:
    """The leases of one piece of work, which end with `stack`."""

    def __init__(self, leases: Leases, stack: AsyncExitStack) -> None:
        self._leases, self._stack = leases, stack
        self._numbers = set[int]()
        self._held: list[Leased] = []

    async def hold(self, numbers: Sequence[int]) -> None:
        missing = set(numbers) - self._numbers
        if missing:
            await self._stack.enter_async_context(self.briefly(list(missing)))
            self._numbers |= missing

    @asynccontextmanager
    async def briefly(self, numbers: Sequence[int]) -> AsyncIterator[None]:
        try:
            async with self._leases.hold({f"crm:{number}" for number in numbers}, store.LOCK_SECONDS) as leased:
                self._held.append(leased)
                try:
                    yield
                finally:
                    self._held.remove(leased)
        except Busy:
            raise Unavailable(retry_after=5) from None

    def check(self) -> None:
        try:
            for leased in self._held:
                leased.check()
        except Lost:
            raise Unavailable(retry_after=5) from None


async def _lock(db: Database, numbers: Sequence[int]) -> None:
    try:
        await store.hold(db, numbers)
    except TimeoutError:
        raise Unavailable(retry_after=5) from None


@asynccontextmanager
async def _locked(db: Database, numbers: Sequence[int]) -> AsyncIterator[None]:
    await _lock(db, numbers)
    yield


async def _tell(db: Database, told: Sequence[Told]) -> None:
    for tell in told:
        await tell(db)


async def _nothing() -> None:
    pass


async def _flush(pool: Pool, told: list[Told]) -> None:
    if told:
        now = told.copy()
        told.clear()  # First: who is called off while it is told must not tell it again.
        await asyncio.shield(asyncio.create_task(surely(partial(_tell_alone, pool, now))))


async def _tell_alone(pool: Pool, told: Sequence[Told]) -> None:
    async with pool.acquire() as db, db.transaction():
        await _tell(db, told)


async def active(db: Database | Pool, account_id: str, lock: str = "") -> asyncpg.Record:
    """The account's active connection. Raises ApiError `crm_not_connected`."""
    row = await store.active(db, account_id, lock)
    if row is None:
        raise ApiError("crm_not_connected", NOT_CONNECTED)
    return row


def definition_of(row: asyncpg.Record) -> Definition:
    """The connector of a connection. Raises ApiError."""
    definition = registry.load().get(row["crm"])
    if definition is None:
        raise ApiError("crm_not_connected", f"This version has no connector to {row['crm']}; connect another CRM.")
    return definition


def _access(
    setup: Setup, row: asyncpg.Record, calls: Calls | None, db: Database | Pool, *, writing: bool = False
) -> Access:
    usual = {name: values[0] for name, values in definition_of(row).options.items()}
    return Access(
        account_id=row["account_id"],
        settings=setup.settings,
        db=db,
        calls=calls,
        reads={kind: set() for kind in KINDS},
        options=usual | store.json_of(row, "options"),
        page_url=row["page_url"],
        writing=writing,
    )


def _opened(row: asyncpg.Record, access: Access) -> dict[str, Any]:
    definition = definition_of(row)
    own = msgspec.json.decode(row["mapping"], type=dict[str, list[Rule]])
    return {
        "id": row["id"],
        "definition": definition,
        "connector": definition.open(access),
        "options": access.options,
        "reads": access.reads,
        "own": own,
    }


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
                raise Expired
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


async def surely(work: Callable[[], Awaitable[None]]) -> None:
    """Writes what must not be lost: while the database is away it is tried again, for KEEP_SECONDS."""
    until = asyncio.get_running_loop().time() + KEEP_SECONDS
    while True:
        try:
            return await work()
        except DATABASE_FAILURES as error:
            if isinstance(error, OUR_FAULT) or asyncio.get_running_loop().time() > until:
                raise
            log.warning("crm_not_kept_yet", error=type(error).__name__)
            await asyncio.sleep(KEEP_PAUSE_SECONDS)


async def failed(setup: Setup, row: asyncpg.Record | None, failure: Failure, path: str) -> ApiError:
    """A connector's failure for the caller. A connection whose access ended is marked."""
    if isinstance(failure, Expired) and row:
        now = await store.connection(setup.pool, row["id"])
        if (now and now["secret"] == row["secret"]) or (now and now["status"] == "token_expired"):
            await _mark_expired(setup, row)
        elif now:
            return told(Unavailable(retry_after=1), path)
    return told(failure, path)


def told(failure: Failure, path: str) -> ApiError:
    """What a failure is for the caller; the field that it names is looked for under `path` in the request."""
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
