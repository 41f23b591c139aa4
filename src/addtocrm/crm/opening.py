"""Opening the account's active CRM for a piece of work."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import msgspec

from addtocrm.core.db.pool import Connection as Database
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import invalid
from addtocrm.core.outgoing.leases import Busy, Leased, Leases, Lost
from addtocrm.crm import known, mapping, matching, store
from addtocrm.crm.calling import Calls
from addtocrm.crm.contract import Access, Connector, Definition, Field, Rule, Values
from addtocrm.crm.credentials import active, calls_of, definition_of, failed, still_connected
from addtocrm.crm.failures import Failure, Unavailable
from addtocrm.crm.kinds import Kind
from addtocrm.crm.setup import Setup
from addtocrm.crm.surely import surely
from addtocrm.privacy import service as suppressions

KINDS: tuple[Kind, ...] = ("contact", "company", "lead")


class Open(msgspec.Struct, frozen=True, kw_only=True):
    """The active CRM, open for reading. `id` is that of the connection, `options` are its settings; `account` is the
    CRM's own account, into which other accounts of ours may write as well. `default_owner` and `default_list` are ids
    for what names none."""

    id: str
    account: str
    definition: Definition
    connector: Connector
    options: Mapping[str, str]
    reads: Mapping[Kind, set[str]]
    own: dict[str, list[Rule]]
    default_owner: str | None = None
    default_list: str | None = None
    seen: dict[Kind, tuple[tuple[Rule, ...], dict[str, Field]]] = msgspec.field(default_factory=dict[Any, Any])
    """The rules and fields of each kind that was asked for."""

    @property
    def person_kind(self) -> Kind:
        """What a new person becomes."""
        return "lead" if self.options.get("contact_object") == "lead" else "contact"

    def use(self, rules: Mapping[Kind, list[Rule] | None]) -> None:
        """Takes these rules in place of the account's; None stands for the usual ones."""
        for kind, some in rules.items():
            self.own.pop(kind, None)
            if some is not None:
                self.own[kind] = some

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
    it, also where a later step fails. `hold(numbers)` keeps what identifies a record (see `locks`) for this
    work alone, `briefly(numbers)` for a part of it, and both raise Unavailable where others keep it too long; `check()`
    raises it where it may be theirs by now. To be held: people all at once, then companies all at once.
    `forgotten(people)` gives the places of those (each by their subjects) who asked to be forgotten; into the built-in
    CRM's transaction nobody comes who does so later, so that who forgets somebody waits for its end: it is asked after
    what waits for others. `flush()` tells what is to be told so far at once, where there is
    no transaction. `pool` has the links, None for the built-in CRM, which needs none; `recent` are those of this work
    by what they are known by. For `unsettled_seconds` after an attempt the CRM may be at it (the request goes out
    within 60 s, `Outgoing.call`; the rest is for the CRM's own work, which no documentation bounds), or its search not
    know of what it made.
    """

    told: list[Told]
    hold: Callable[[Sequence[int]], Awaitable[None]]
    briefly: Callable[[Sequence[int]], AbstractAsyncContextManager[None]]
    check: Callable[[], None]
    forgotten: Callable[[Sequence[Sequence[bytes]]], Awaitable[list[int]]]
    flush: Callable[[], Awaitable[None]]
    pool: Pool | None
    unsettled_seconds: float = 0.0
    recent: dict[bytes, Any] = msgspec.field(default_factory=dict[bytes, Any])

    def locks(self, kind: Kind, values: Values) -> list[int]:
        """The locks of all that identifies a record, which are the same for all who write into the CRM's account."""
        return matching.locks(self.definition.name, self.account, kind, values)

    async def refuse_forgotten(self, about: Sequence[Sequence[bytes]], path: str) -> None:
        """Raises ApiError where one of `about`, each by their subjects, asked to be `forgotten`."""
        if await self.forgotten(about):
            raise invalid(path, "asked to be forgotten; nothing was written.")


class Expected(msgspec.Struct, frozen=True):
    """Which CRM a write is for: by name, by the id of the connection, or whichever is active."""

    crm: str | None = None
    connection: str | None = None


@asynccontextmanager
async def reading(setup: Setup, account_id: str, connection: str | None = None) -> AsyncIterator[Open]:
    """The active CRM for reading, or that of this `connection`, which may have been active before. A connector's
    failure inside the block becomes an ApiError."""
    row = await (active(setup.pool, account_id) if connection is None else still_connected(setup.pool, connection))
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
    *,
    bulk: bool = False,
) -> AsyncIterator[OpenForWriting]:
    """The active CRM for writing: the built-in one in one transaction of our database, another without any; in `bulk`
    its vendor is asked after single calls.

    A connector's failure inside the block becomes an ApiError; the field that it names is looked for under `path` in
    the request. Raises ApiError where another CRM is `expected`.
    """
    row = None
    try:
        async with AsyncExitStack() as stack:
            db = await stack.enter_async_context(setup.pool.acquire())
            await stack.enter_async_context(db.transaction())
            row = await active(db, account_id, "for share")
            check_expected(row, expected)
            told = list[Told]()
            if definition_of(row).vendor is None:
                access = _access(setup, row, None, db, writing=True)
                yield OpenForWriting(
                    **_opened(row, access),
                    told=told,
                    hold=partial(_lock, db),
                    briefly=partial(_locked, db),
                    check=lambda: None,
                    forgotten=partial(suppressions.all_suppressed, db),
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
                    forgotten=partial(suppressions.all_suppressed, setup.pool),
                    flush=partial(_flush, setup.pool, told),
                    pool=setup.pool,
                    unsettled_seconds=setup.settings.crm_settle_seconds + definition_of(row).search_lag,
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
        "account": row["crm_account_id"],
        "definition": definition,
        "connector": definition.open(access),
        "options": access.options,
        "reads": access.reads,
        "own": own,
        "default_owner": row["default_owner"],
        "default_list": row["default_list"],
    }
