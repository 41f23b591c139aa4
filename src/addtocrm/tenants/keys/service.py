"""The rules of keys, and the ring of keys that this process knows."""

import asyncio
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day

from asyncpg import Record

from addtocrm.core.caller import SCOPES, Scope
from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.ids import new_id
from addtocrm.core.settings import MOST_REQUESTS
from addtocrm.events import service as events
from addtocrm.tenants.keys import store
from addtocrm.tenants.keys.model import Key, NewKey, Principal
from addtocrm.tenants.keys.token import PREFIX, hash_token, new_token

FRESH_SECONDS = 1.0
"""How long a principal is believed without asking; the safety net below NOTIFY."""
REMEMBERED = 10_000
SESSION_KEY_LIVES = timedelta(hours=1)
GUESS_SECONDS = 1.0
MOST_GUESSES = 1000
MOST_DAYS = 3650
IN_USE_DAYS = 30
"""A key that was used within so many days is in use."""
REVOKED = "The API key was revoked."
EXPIRED = "The API key has expired."
SUSPENDED = "The account is off the Pro plan, on which API keys work, or suspended."


async def create(
    pool: Pool,
    email: str,
    scopes: list[str],
    name: str = "",
    *,
    rate_per_minute: int | None = None,
    rate_per_hour: int | None = None,
    expires: str = "",
    seed: bytes | None = None,
    actor: str = "operator",
) -> NewKey:
    """A new key; its token is in the answer and nowhere else. It `expires` after so many days, or with a day (UTC);
    never by default. Who asks again with the same `seed`, a secret, gets the same key. Raises ApiError off Pro, for a
    wrong scope, limit or expiry."""
    chosen, expires_at = _scopes(scopes), _expiry(expires.strip())
    for field, rate in (("rate_per_minute", rate_per_minute), ("rate_per_hour", rate_per_hour)):
        if rate is not None and not 1 <= rate <= MOST_REQUESTS:
            raise invalid(field, f"must be a whole number from 1 to {MOST_REQUESTS}.")
    async with pool.acquire() as connection, connection.transaction():
        account_id = await _usable_account(connection, email)
        token, id = new_token(seed), new_id("key")
        name = name.strip() or f"Key {token[-4:]}"
        rates, hash = (rate_per_minute, rate_per_hour), hash_token(token)
        if not await store.insert(
            connection, id, account_id, name, hash, PREFIX, token[-4:], chosen, rates, expires_at
        ):
            made = await store.by_hash(connection, account_id, hash)
            return NewKey(token, made.id, made.name, made.scopes, made.expires_at, repeated=True)
        await events.append(
            connection, account_id, "key.created", actor, None, {"id": id, "name": name, "scopes": chosen}
        )
    return NewKey(token, id, name, chosen, expires_at)


async def create_for_session(
    pool: Pool, email: str, scopes: list[str], session_id: str, name: str, actor: str, role: str
) -> NewKey:
    """A key that expires after SESSION_KEY_LIVES and ends with its session, which has one at a time: the token of one
    before is good no more. Raises ApiError as `create`, and where its member has another `role` by now."""
    chosen, token = _scopes(scopes), new_token()
    async with pool.acquire() as connection, connection.transaction():
        account_id = await _usable_account(connection, email)
        shown = (hash_token(token), PREFIX, token[-4:])
        expires_at = datetime.now(UTC) + SESSION_KEY_LIVES
        id = await store.put_for_session(
            connection, new_id("key"), account_id, name, shown, chosen, session_id, expires_at, role
        )
        if id is None:
            raise ApiError("invalid_auth", "You are signed out, or have another role by now. Reload the page.")
        told = {"id": id, "name": name, "scopes": chosen}
        await events.append(connection, account_id, "key.created", actor, None, told)
    return NewKey(token, id, name, chosen, expires_at)


async def end_of_member(connection: Connection, member_id: str) -> None:
    """Revokes the keys of a member's sessions, whose scopes were those of a role that they had."""
    await store.end_of_member(connection, member_id)


async def _usable_account(connection: Connection, email: str) -> str:
    """The account of an email, where API keys work. Raises ApiError."""
    account = await store.owner(connection, email.strip())
    if account is None:
        raise ApiError("not_found", f"There is no account {email}; `addtocrm accounts create` makes one.")
    if account["plan"] != "pro":
        raise ApiError("key_suspended_plan", why_unusable(account["plan"]))
    return account["id"]


def why_unusable(plan: str) -> str:
    """Why API keys do not work on a plan that is not Pro, and what to do."""
    if plan == "suspended":
        return "This account is suspended. Ask the operator of this deployment why."
    return "API keys work on the Pro plan. Ask the operator of this deployment for it; your keys then work again."


async def of_account(pool: Pool, account_id: str) -> list[Key]:
    """All keys of an account, revoked ones too, oldest first."""
    async with pool.acquire() as connection:
        return await store.of_account(connection, account_id)


async def tell_of_use(connection: Connection, account_id: str, *, usable: bool, actor: str) -> None:
    """The events of an account's keys when they can be used again, or no more."""
    kind = "key.reactivated" if usable else "key.suspended"
    for key in await store.active(connection, account_id):
        await events.append(connection, account_id, kind, actor, None, {"id": key.id, "name": key.name})


async def revoke(pool: Pool, id: str, actor: str = "operator", *, account_id: str | None = None) -> None:
    """Ends a key (of an account, or anybody's) for good; doing it twice is no error. Raises ApiError `not_found`."""
    async with pool.acquire() as connection, connection.transaction():
        key = await store.revoke(connection, id, account_id)
        if key:
            await events.append(connection, key.account_id, "key.revoked", actor, None, {"id": id, "name": key.name})
        elif not await store.exists(connection, id, account_id):
            raise ApiError("not_found", f"There is no key {id}; `addtocrm keys list EMAIL` shows them.")


async def unusable(pool: Pool, ids: Collection[str]) -> dict[str, str]:
    """Those of the keys that may do nothing any more, or not now, with the reason in words."""
    rows = await store.unusable(pool, list(ids)) if ids else []
    return {row["id"]: REVOKED if row["revoked"] else EXPIRED if row["expired"] else SUSPENDED for row in rows}


async def note_use(connection: Connection, used: Mapping[str, datetime]) -> None:
    """Keeps when keys were used last."""
    await store.note_use(connection, used)


async def get(pool: Pool, account_id: str, id: str) -> Key:
    """A key of an account. Raises ApiError `not_found`."""
    found = next((key for key in await of_account(pool, account_id) if key.id == id), None)
    if found is None:
        raise ApiError("not_found", "There is no such key.")
    return found


async def in_use(pool: Pool, account_id: str, scope: Scope) -> list[Key]:
    """The keys in use that have a scope and still work, by name."""
    since = datetime.now(UTC) - timedelta(days=IN_USE_DAYS)
    known = [key for key in await of_account(pool, account_id) if scope in key.scopes and not key.is_over]
    used = [key for key in known if key.last_used_at and key.last_used_at >= since]
    return sorted(used, key=lambda key: key.name.casefold())


def _expiry(text: str) -> datetime | None:
    """When a key ends that expires after `text` days, or with the day `text`; None for an empty one."""
    if not text:
        return None
    now = datetime.now(UTC)
    try:
        if text.isdecimal():
            expires_at = now + timedelta(days=int(text))
        else:
            day = datetime.strptime(text, "%Y-%m-%d").date() + timedelta(days=1)
            expires_at = datetime.combine(day, time_of_day(), UTC)
    except (ValueError, OverflowError):
        raise invalid("expires", "must be a number of days, or a day such as 2030-01-31.") from None
    if not now < expires_at <= now + timedelta(days=MOST_DAYS):
        raise invalid("expires", f"must be in the future, and within {MOST_DAYS:,} days.")
    return expires_at


def _scopes(given: list[str]) -> tuple[Scope, ...]:
    unknown = sorted(set(given) - set(SCOPES))
    if unknown or not given:
        what = f"{', '.join(unknown)} is not a scope" if unknown else "at least one is needed"
        raise invalid("scopes", f"{what}; choose from {', '.join(SCOPES)}.")
    return tuple(scope for scope in SCOPES if scope in given)


class KeyRing:
    """The keys that this process has seen lately, so that most requests need no query.

    Emptied by NOTIFY (`forget`), believed for FRESH_SECONDS at most.
    """

    def __init__(self, pool: Pool, rate_per_minute: int, rate_per_hour: int) -> None:
        self._pool = pool
        self._rates = (rate_per_minute, rate_per_hour)
        self._known: dict[str, Principal] = {}
        self._tokens: dict[str, set[str]] = {}
        self._finding: dict[str, asyncio.Task[dict[str, Principal]]] = {}
        self._guesses: set[str] = set()
        self._guessing: asyncio.Task[dict[str, Principal]] | None = None
        self._next_guesses = 0.0
        self.balances: dict[str, int] = {}
        """Credits left by account: as of the last principal read or look-up settled, FRESH_SECONDS old at most."""

    def known(self, token: str) -> Principal | None:
        """Whose token this is, where that was asked a moment ago. A revoked key's principal says so."""
        principal = self._known.get(token)
        return principal if principal and time.monotonic() - principal.fetched_at < FRESH_SECONDS else None

    def has_met(self, token: str) -> bool:
        """Whether this was somebody's token when it was last asked for."""
        return token in self._known

    async def find(self, token: str) -> Principal | None:
        """Whose token this is, by the database; `token` is well formed. All who ask at once share one query."""
        finding = self._finding.get(token)
        if finding is None:
            finding = self._finding[token] = asyncio.create_task(self._fetch([token]))
            finding.add_done_callback(lambda _: self._finding.pop(token, None))
        return (await asyncio.shield(finding)).get(token)

    async def find_with_others(self, token: str) -> Principal | None:
        """As `find`, for what may well be a guess: all who ask within GUESS_SECONDS share one query."""
        if len(self._guesses) >= MOST_GUESSES:
            return None
        self._guesses.add(token)
        if self._guessing is None:
            self._guessing = asyncio.create_task(self._find_guesses())
        return (await asyncio.shield(self._guessing)).get(token)

    async def _find_guesses(self) -> dict[str, Principal]:
        await asyncio.sleep(self._next_guesses - time.monotonic())
        self._next_guesses = time.monotonic() + GUESS_SECONDS
        tokens, self._guesses, self._guessing = self._guesses, set(), None
        return await self._fetch(tokens)

    async def _fetch(self, tokens: Collection[str]) -> dict[str, Principal]:
        began = time.monotonic()
        hashed = {hash_token(token): token for token in tokens}
        rows = {hashed[row["hash"]]: row for row in await store.principals(self._pool, list(hashed))}
        for token in tokens:
            self._known.pop(token, None)
        if len(self._known) + len(rows) > REMEMBERED:
            self.forget_all()
        found = {token: self._principal(row, began) for token, row in rows.items()}
        self.balances.update((row["account_id"], row["credits_available"]) for row in rows.values())
        self._known.update(found)
        for token, principal in found.items():
            self._tokens.setdefault(principal.account_id, set()).add(token)
        return found

    def _principal(self, row: Record, began: float) -> Principal:
        return Principal(
            key_id=row["key_id"],
            account_id=row["account_id"],
            scopes=frozenset(row["scopes"]),
            plan=row["plan"],
            revoked=row["revoked"],
            expired=row["expired"],
            rate_per_minute=row["rate_per_minute"] or self._rates[0],
            rate_per_hour=row["rate_per_hour"] or self._rates[1],
            fetched_at=began,
        )

    def forget(self, account_id: str) -> None:
        """Drops what is known of an account's keys."""
        for token in self._tokens.pop(account_id, ()):
            self._known.pop(token, None)

    def forget_all(self) -> None:
        self._known.clear()
        self._tokens.clear()
        self.balances.clear()
