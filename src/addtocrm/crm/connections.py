"""The CRMs that an account has connected, of which exactly one is active."""

import asyncio
import hashlib
import secrets as random
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec
import structlog

from addtocrm.core import secrets
from addtocrm.core.background import repeat
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.ids import new_id
from addtocrm.core.settings import Settings
from addtocrm.core.times import rfc3339
from addtocrm.crm import credentials, known, oauth, registry, store
from addtocrm.crm.calling import Calls
from addtocrm.crm.contract import Access, CrmAccount, Definition
from addtocrm.crm.credentials import NOT_CONNECTED, definition_of, purpose, tokens_of
from addtocrm.crm.failures import Expired, Failure, Rejected
from addtocrm.crm.kinds import Kind
from addtocrm.crm.model import Connection, OwnConnection
from addtocrm.crm.oauth import Granted
from addtocrm.crm.opening import KINDS
from addtocrm.crm.setup import Setup
from addtocrm.events import service as events
from addtocrm.privacy import service as suppressions
from addtocrm.tenants.factors import service as factors

log = structlog.get_logger()

WAIT_POLL_SECONDS = 0.5
DELETE_SECONDS = 3600.0
FAILED = "Something failed on our side; begin again."
USED_UP = "This sign-in was used already, took longer than 10 minutes or was never begun; begin again."


class Authorization(msgspec.Struct, frozen=True):
    """A sign-in at a CRM that was begun: the address that the user opens. `state` is its secret."""

    authorize_url: str
    state: str

    def __repr__(self) -> str:
        return "Authorization(…)"


class Beginner(msgspec.Struct, frozen=True):
    """Who began a sign-in: for which account, and in which session of the dashboard, None where it was in none."""

    account_id: str
    session_id: str | None


async def connect(
    setup: Setup,
    account_id: str,
    crm: str,
    *,
    token: str | None = None,
    options: Mapping[str, str] = {},
    actor: str = "operator",
    request_id: str | None = None,
) -> Connection:
    """Makes `crm` the account's active CRM, with a token where it takes one; the one before is kept, not active.

    Raises ApiError for a CRM that there is not, and for a token that is missing or not accepted.
    """
    definition = definition_named(crm)
    check_options(definition, options)
    if definition.token is None:
        if definition.oauth is None and token:
            raise invalid("token", f"is not for {definition.label}, which needs none.")
        if definition.oauth is not None:
            raise invalid("token", f"is not for {definition.label}, which is connected by OAuth.")
        return await _established(setup, account_id, definition, None, options, actor, request_id)
    if not token:
        raise invalid("token", f"is required for {definition.label}: {definition.token.where}")
    if not (token.isascii() and token.isprintable()):
        raise invalid("token", f"is no token of {definition.label}: it holds characters that none has.")
    try:
        granted = await oauth.by_hand(setup.outgoing, setup.settings, definition, token)
    except Failure as failure:
        raise credentials.told(failure, "") from None
    return await _established(setup, account_id, definition, granted, options, actor, request_id)


async def begin(
    setup: Setup,
    account_id: str,
    crm: str,
    *,
    options: Mapping[str, str] = {},
    actor: str = "operator",
    request_id: str | None = None,
    session_id: str | None = None,
) -> Authorization:
    """Begins to connect a CRM by OAuth; one that a session of the dashboard begins ends in that
    session alone. Raises ApiError for a CRM without it, and without an app of ours there."""
    definition = definition_named(crm)
    check_options(definition, options)
    if definition.oauth is None:
        raise invalid("crm", f"{definition.label} has no OAuth.")
    state = random.token_urlsafe(32)
    verifier = oauth.new_verifier(definition)
    try:
        address = oauth.authorize_url(setup.settings, definition, state, verifier)
    except Rejected as refusal:
        raise invalid(refusal.field, refusal.message) from None
    await store.authorize(
        setup.pool,
        {
            "state": _digest(state),
            "account_id": account_id,
            "crm": crm,
            "actor": actor,
            "request_id": request_id,
            "options": msgspec.json.encode(dict(options)).decode(),
            "verifier": secrets.seal(setup.settings.data_dir, verifier, purpose(account_id)) if verifier else None,
            "session_id": session_id,
        },
    )
    return Authorization(address, state)


async def beginner(pool: Pool, params: Mapping[str, str]) -> Beginner | None:
    """Who began the sign-in of which the browser comes back with `params`; None where nobody did."""
    row = await store.begun_by(pool, _digest(params.get("state", "")))
    return Beginner(**row) if row else None


async def last_failure(pool: Pool, session_id: str) -> str:
    """Why the last sign-in at a CRM that a session began did not work; "" where it did."""
    return await store.last_outcome(pool, session_id) or ""


async def finish(setup: Setup, crm: str, params: Mapping[str, str], session_id: str | None = None) -> Connection:
    """Connects the CRM that sent the browser, in which `session_id` is signed in, back with `params`. Raises ApiError
    with what went wrong."""
    definition = definition_named(crm)
    state = _digest(params.get("state", ""))
    begun = await store.use_authorization(setup.pool, state, crm, session_id)
    if begun is None:
        raise invalid("", USED_UP)
    account_id = begun["account_id"]
    try:
        if not params.get("code"):
            raise invalid("", _refused(definition, params.get("error", "no code")))
        sealed = begun["verifier"]
        verifier = secrets.unseal(setup.settings.data_dir, sealed, purpose(account_id)) if sealed else None
        try:
            granted = await oauth.exchanged(setup.outgoing, setup.settings, definition, params, verifier)
        except Failure as failure:
            raise credentials.told(failure, "") from None
        options = store.json_of(begun, "options")
        connected = await _established(
            setup, account_id, definition, granted, options, begun["actor"], begun["request_id"]
        )
    except ApiError as error:
        await store.end_authorization(setup.pool, state, error.message)
        raise
    except secrets.SecretError as error:
        log.error("secret_closed", account_id=account_id, reason=str(error))
        await store.end_authorization(setup.pool, state, credentials.CLOSED)
        raise ApiError("crm_unavailable", credentials.CLOSED, retry_after_seconds=30) from None
    except Exception:
        await store.end_authorization(setup.pool, state, FAILED)
        raise
    await store.end_authorization(setup.pool, state, "")
    return connected


async def outcome(setup: Setup, account_id: str, state: str) -> Connection:
    """Waits until a sign-in that was begun is over, and gives the connection. Raises ApiError."""
    while True:
        row = await store.authorization(setup.pool, _digest(state))
        if row is not None and row["outcome"] == "":
            return await info(setup.pool, account_id)
        if row is None or row["outcome"] or row["over"]:
            raise invalid("crm", f"is not connected: {(row and row['outcome']) or USED_UP}")
        await asyncio.sleep(WAIT_POLL_SECONDS)


def _refused(definition: Definition, error: str) -> str:
    """What a CRM means that sends the browser back without a code (RFC 6749 §4.1.2.1)."""
    if error == "access_denied":
        return f"{definition.label} was not given access. Begin again, and allow access when {definition.label} asks."
    return f"{definition.label} did not give access ({error[:100]!r}). Begin again."


def definition_named(crm: str) -> Definition:
    """The connector to a CRM. Raises ApiError."""
    definition = registry.load().get(crm)
    if definition is None:
        raise invalid("crm", f"must be one of {', '.join(registry.load())}.")
    return definition


def check_options(definition: Definition, options: Mapping[str, str]) -> None:
    """Raises ApiError for a setting that connections to the CRM do not have."""
    for name, value in options.items():
        if value not in definition.options.get(name, ()):
            allowed = " or ".join(definition.options.get(name, ()))
            raise invalid(
                name, f"is {allowed} for {definition.label}." if allowed else f"is not for {definition.label}."
            )


async def _established(
    setup: Setup,
    account_id: str,
    definition: Definition,
    granted: Granted | None,
    options: Mapping[str, str],
    actor: str,
    request_id: str | None,
) -> Connection:
    """Asks the CRM whose it is, and makes it the active one."""
    owner = await _owner(setup, account_id, definition, granted)
    values: dict[str, Any] = {
        "id": new_id("ccn"),
        "account_id": account_id,
        "crm": definition.name,
        "name": definition.label,
        "crm_account_id": owner.id,
        "crm_account_name": owner.name,
        "secret": credentials.seal(setup, account_id, granted.tokens) if granted else None,
        "api_url": granted.api_url if granted else None,
        "auth_url": granted.auth_url if granted else None,
        "page_url": owner.page_url,
        "options": msgspec.json.encode(dict(options)).decode(),
    }
    async with setup.pool.acquire() as db, db.transaction():
        await store.hold(db, [_number(account_id)])
        before = await store.active(db, account_id, "for update")
        same = before and (before["crm"], before["crm_account_id"]) == (definition.name, owner.id)
        if not (before and same and before["status"] == "connected" and granted is None):
            await store.connect(db, values)
        told = {"crm": definition.name, "name": definition.label, "account_id": owner.id}
        if before and not same:
            await events.append(db, account_id, "crm.switched", actor, request_id, {**told, "from": before["crm"]})
        elif not before or before["status"] != "connected":
            await events.append(db, account_id, "crm.connected", actor, request_id, told)
        row = await credentials.active(db, account_id)
    known.forget(row["id"])
    return shown(row)


async def _owner(setup: Setup, account_id: str, definition: Definition, granted: Granted | None) -> CrmAccount:
    # Until the CRM has said whose it is, calls count for our account.
    calls = credentials.calls_with(setup, definition, granted.tokens, account_id, granted.api_url) if granted else None
    try:
        return await _asked_whose(setup, account_id, definition, calls)
    except Expired:
        raise invalid("token", f"is not accepted by {definition.label}.") from None
    except Rejected as refusal:
        raise invalid("token", f"is not accepted by {definition.label}: {refusal.message}") from None
    except Failure as failure:
        raise credentials.told(failure, "") from None


async def _asked_whose(setup: Setup, account_id: str, definition: Definition, calls: Calls | None) -> CrmAccount:
    reads: dict[Kind, set[str]] = {kind: set() for kind in KINDS}
    access = Access(account_id=account_id, settings=setup.settings, db=setup.pool, calls=calls, reads=reads)
    return await definition.open(access).info()


async def switch(
    pool: Pool, account_id: str, crm: str, *, actor: str = "operator", request_id: str | None = None
) -> Connection:
    """Makes a CRM that was connected before the active one again: by its name, or its connection's id. Raises
    ApiError."""
    async with pool.acquire() as db, db.transaction():
        await store.hold(db, [_number(account_id)])
        row = _kept(await store.connections(db, account_id), crm)
        if not row["active"]:
            before = await store.active(db, account_id, "for update")
            await store.activate(db, account_id, row["id"])
            told = {"crm": row["crm"], "name": row["name"], "account_id": row["crm_account_id"]}
            data = {**told, "from": before["crm"] if before else None}
            await events.append(db, account_id, "crm.switched", actor, request_id, data)
    return await info(pool, account_id)


async def disconnect(
    setup: Setup,
    account_id: str,
    crm: str | None = None,
    *,
    actor: str = "operator",
    request_id: str | None = None,
) -> Connection:
    """Ends a connection (the active one, or `crm`), and takes our access back at the CRM; what is in it stays there.

    Gives what it was. Raises ApiError `crm_not_connected`.
    """
    async with setup.pool.acquire() as db, db.transaction():
        await store.hold(db, [_number(account_id)])
        row = _kept(await store.connections(db, account_id), crm) if crm else await credentials.active(db, account_id)
        row = await store.disconnect(db, row["id"]) or row
        told = {"crm": row["crm"], "name": row["name"]}
        await events.append(db, account_id, "crm.disconnected", actor, request_id, told)
    if row["secret"] is not None:
        try:
            tokens = tokens_of(setup, row)
        except ApiError:
            return shown(row)
        await oauth.revoke(setup.outgoing, setup.settings, definition_of(row), tokens, row["auth_url"])
    return shown(row)


def _kept(rows: Sequence[asyncpg.Record], crm: str) -> asyncpg.Record:
    """The connection that `crm` names: by the CRM, where it has one account of it, by its id or the CRM's account."""
    found = [row for row in rows if crm in (row["crm"], row["id"], row["crm_account_id"])]
    if not found:
        there = ", ".join(row["crm"] for row in rows)
        raise ApiError("crm_not_connected", f"{crm} is not connected; {there} is." if there else NOT_CONNECTED)
    if len(found) > 1:
        several = " or ".join(f"{row['crm_account_id']} ({row['crm_account_name']})" for row in found)
        raise invalid("crm", f"has several connected accounts. Name one: {several}.")
    return found[0]


async def info(pool: Pool, account_id: str) -> Connection:
    """The active CRM. Raises ApiError `crm_not_connected`."""
    return shown(await credentials.active(pool, account_id))


async def all_of(pool: Pool, account_id: str) -> list[OwnConnection]:
    """The active CRM and those that are kept, the active one first."""
    return [
        OwnConnection(
            **msgspec.structs.asdict(shown(row)), id=row["id"], active=row["active"], page_url=row["page_url"]
        )
        for row in await store.connections(pool, account_id)
    ]


def active_of(known: Sequence[OwnConnection]) -> OwnConnection | None:
    """The active one of an account's connections; None where all are kept, or there is none."""
    return next((one for one in known if one.active), None)


def shown(row: asyncpg.Record) -> Connection:
    """A connection as it is shown."""
    return Connection(
        crm=row["crm"],
        name=row["name"],
        account_id=row["crm_account_id"],
        account_name=row["crm_account_name"],
        connected_at=rfc3339(row["connected_at"]),
        status=row["status"],
        capabilities=definition_of(row).capabilities,
    )


async def outside(pool: Pool) -> list[tuple[str, str]]:
    """(email, id) of the accounts that have connected another CRM than the built-in one."""
    return [(row["email"], row["account_id"]) for row in await store.outside(pool)]


async def check(setup: Setup, account_id: str) -> list[tuple[Connection, str]]:
    """Asks each of the account's CRMs of others whether it works: "" where it does, else why not."""
    found: list[tuple[Connection, str]] = []
    for row in await store.connections(setup.pool, account_id):
        trouble = ""
        if row["secret"] is None:
            continue
        try:
            await _whose(setup, row)
        except ApiError as error:
            trouble = error.message
        found.append((shown(row), trouble))
    return found


async def test(setup: Setup, account_id: str) -> CrmAccount:
    """Asks the active CRM whose it is. Raises ApiError that says why it does not work."""
    return await _whose(setup, await credentials.active(setup.pool, account_id))


async def _whose(setup: Setup, row: asyncpg.Record) -> CrmAccount:
    try:
        calls = await credentials.calls_of(setup, row)
        return await _asked_whose(setup, row["account_id"], definition_of(row), calls)
    except Failure as failure:
        raise await credentials.failed(setup, row, failure, "") from None


async def keep_deleting(pool: Pool) -> None:
    """Deletes what is left of sign-ins and of writes without an answer, for as long as the process lives."""
    await repeat("delete_crm_leftovers", DELETE_SECONDS, lambda: store.delete_old(pool))


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
            secret = secrets.unseal(settings.data_dir, row["secret"], purpose(row["account_id"]))
            await store.reseal(db, row["id"], secrets.seal(settings.data_dir, secret, purpose(row["account_id"])))
        await factors.reseal(db, settings.data_dir)
        await suppressions.reseal(db, settings.data_dir)
    return len(rows)


async def sealed(pool: Pool, settings: Settings) -> tuple[int, int]:
    """How many tokens are stored, and how many of them the key file of this host does not open."""
    rows = await store.sealed(pool)
    closed = 0
    for row in rows:
        try:
            secrets.unseal(settings.data_dir, row["secret"], purpose(row["account_id"]))
        except secrets.SecretError:
            closed += 1
    return len(rows), closed


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()


def _number(account_id: str) -> int:
    digest = hashlib.blake2b(f"crm connection {account_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
