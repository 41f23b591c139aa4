"""The rules of the suppression list: who is on it, and who is taken out with whom. It keeps keyed hashes only."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import structlog

from addtocrm.core import identifiers, secrets
from addtocrm.core.db.pool import Connection, DatabaseError, Pool, connect
from addtocrm.core.errors import invalid
from addtocrm.core.individuals import (
    Individual,
    digest,
    digests,
    individual,
    mentioned,
    name_words,
    same_name,
    signature,
    spoken_of,
)
from addtocrm.mail.knowledge import is_role
from addtocrm.privacy import store

log = structlog.get_logger()

PURPOSE = "suppression list"
CLEARED_TIMES = 5
"""So often is tried to clear the tables, where others have their rows in another order."""
LOST = (
    "The suppression list cannot be read: its key is sealed with another {file} than this host's. Copy that file from "
    "another host or from the backup; docs/operations.md says what to do where it is lost."
)


class Mention(msgspec.Struct, frozen=True):
    """A free text that speaks of the person: which column of which row."""

    account_id: str
    place: str
    id: str


class Forgotten(msgspec.Struct, frozen=True):
    """How many identifiers were put on the list, from how many rows of each table the person was taken, the free
    texts that mention them (they are left as they are), and addresses that are shared with others (which stay)."""

    identifiers: int
    removed: dict[str, int]
    mentions: list[Mention]
    shared: list[str]


def subjects(linkedin_url: str | None, emails: Iterable[str | None], name: str = "") -> list[bytes]:
    """Whom a look-up or a write is about, by identifiers and a name in any form."""
    return digests([individual(linkedin_url, emails, name)])


async def first_suppressed(connection: Connection, people: Sequence[Sequence[bytes]]) -> int | None:
    """The place of the first of `people` (each their `subjects`) who asked to be forgotten.

    In the transaction of `connection`: until its end nobody is added to the list.
    """
    return next(iter(await all_suppressed(connection, people)), None)


async def all_suppressed(connection: Connection | Pool, people: Sequence[Sequence[bytes]]) -> list[int]:
    """As `first_suppressed`, the places of all of them."""
    hashes = [hash for person in people for hash in person]
    found = await store.suppressed(connection, hashes) if hashes else set[bytes]()
    return [place for place, person in enumerate(people) if found.intersection(person)]


async def session(url: str, data_dir: Path, *, replace: bool = False) -> Mapping[str, str]:
    """What a pool's connections to `url` are opened with to read the list: its key.

    The key is random, made once, and kept in the database, sealed with the key file that the hosts
    share. `replace` makes a new one where it cannot be opened and nobody is on the list. Raises DatabaseError where
    it cannot be opened.
    """
    connection = await connect(url)
    try:
        async with connection.transaction():
            settings, _ = await _opened(connection, data_dir, replace)
            return settings
    finally:
        await connection.close()


async def after_restore(url: str, data_dir: Path) -> int:
    """Puts the list of the database that a backup replaced into the restored one, and takes everybody on it out.

    Gives of how many rows. Raises DatabaseError as `session`, which does the same where this was not reached.
    """
    connection = await connect(url)
    try:
        async with connection.transaction():
            _, removed = await _opened(connection, data_dir, False)
            return removed
    finally:
        await connection.close()


async def _opened(connection: Connection, data_dir: Path, replace: bool) -> tuple[Mapping[str, str], int]:
    """The settings of a session that reads the list, and from how many rows people were taken who are new on it: of a
    list that was set aside by a restore, or was made when they were found by other forms of their identifiers."""
    row, carried = await store.key(connection), await store.has_carried(connection)
    if row is None or carried:
        await store.lock_exclusively(connection)
        row, carried = await store.key(connection), await store.has_carried(connection)
    plain = row is None
    theirs = await store.carried_key(connection) if carried else None
    if theirs and (row is None or not await store.anybody(connection)):
        row = theirs
        await store.put_key(connection, row["sealed"], row["fingerprint"])
    settings = await _settings_of(connection, data_dir, row, replace and not carried)
    if not plain and not carried:
        return settings, 0
    await store.use(connection, settings)
    if plain:
        await store.rehash(connection)
    if carried:
        if theirs is None:
            await store.rehash(connection, "carried.suppressions")
        await store.take_carried(connection)
    return settings, await _sweep(connection) if await store.anybody(connection) else 0


async def _settings_of(
    connection: Connection, data_dir: Path, row: asyncpg.Record | None, replace: bool
) -> Mapping[str, str]:
    try:
        if row is not None:
            return _settings(bytes.fromhex(secrets.unseal(data_dir, row["sealed"], PURPOSE)))
    except secrets.UnreadableError:
        raise
    except secrets.SecretError:
        if not replace or await store.anybody(connection) or await store.any_token(connection):
            raise DatabaseError(LOST.format(file=data_dir / secrets.FILE)) from None
        log.warning("suppression_key_replaced", reason="it was sealed with another key file")
    made = os.urandom(32)
    settings = _settings(made)
    pads = bytes.fromhex(settings["addtocrm.suppression_key"])
    await store.put_key(connection, secrets.seal(data_dir, made.hex(), PURPOSE), hashlib.sha256(pads).digest())
    return settings


async def _sweep(connection: Connection) -> int:
    """Takes everybody who is on the list out of every place, of which it reads all; gives from how many rows."""
    await store.hold_people(connection)
    await store.hold_feed(connection)
    removed = 0
    for place in store.PLACES:
        if place == "people":
            keys = [
                key
                async for rows in store.all_rows(connection, place)
                for key in await _of_suppressed(connection, {row["key"]: spoken_of(_document(row)) for row in rows})
            ]
        else:
            keys = await store.rows_of_suppressed(connection, place)
        removed += await store.clear(connection, place, keys)
    return removed + await store.drop_links(connection) + await store.drop_answers(connection)


async def _of_suppressed(connection: Connection, rows: Mapping[str, Iterable[Individual]]) -> list[str]:
    """The keys of those of `rows` that speak of somebody on the list."""
    about = {key: digests(people) for key, people in rows.items()}
    found = await store.suppressed(connection, list({digest for one in about.values() for digest in one}))
    return [key for key, one in about.items() if found.intersection(one)]


async def reseal(connection: Connection, data_dir: Path) -> None:
    """Seals the list's key anew, with the newest key of the file."""
    row = await store.key(connection)
    if row is not None:
        key = secrets.unseal(data_dir, row["sealed"], PURPOSE)
        await store.put_key(connection, secrets.seal(data_dir, key, PURPOSE), row["fingerprint"])


def _settings(key: bytes) -> Mapping[str, str]:
    """The key with HMAC's two pads (RFC 2104), which is all that a session needs of it."""
    pads = [bytes(byte ^ pad for byte in key.ljust(64, b"\0")) for pad in (0x36, 0x5C)]
    return {"addtocrm.suppression_key": b"".join(pads).hex()}


async def forget(pool: Pool, identifier: str, *, shared_too: bool = False) -> Forgotten:
    """Puts a person on the list, by LinkedIn URL or email address and all that any place knows them by, and takes
    them out of every place. An address that others have too is nobody's: it stays, and so do they; the person is kept
    away from it by their name. `shared_too` forgets everybody who has the address `identifier`.

    Raises ApiError `validation_error` where `identifier` is neither, or is shared and not `shared_too`.
    """
    async with pool.acquire() as connection:
        asked = _read(identifier)
        search = await _searched(connection, asked, asked if shared_too else set())
        if not search.known:
            raise invalid(
                "identifier",
                "is the address of several people. Forget each by their LinkedIn URL, or add --shared-too to forget "
                "everybody who has it.",
            )
        tries = CLEARED_TIMES
        while True:
            # Once the list is written nobody can come back, so that clearing the tables need hold nobody up.
            async with connection.transaction():
                await store.lock_exclusively(connection)
                await store.add(connection, search.digests)
            try:
                done = await _cleared(connection, search)
            except asyncpg.DeadlockDetectedError:
                tries -= 1
                if not tries:
                    raise
                continue
            if isinstance(done, Forgotten):
                return done
            search = done


def _read(identifier: str) -> set[str]:
    try:
        if "@" in identifier:
            return {f"email:{identifiers.email_key(identifier)}"}
        return {f"linkedin:{identifiers.person_url(identifier)}"}
    except ValueError as error:
        raise invalid("identifier", str(error)) from None


class _Search:
    """What is known of one person: identifiers that are theirs alone, those that they share, and their rows."""

    def __init__(self, known: set[str]) -> None:
        self.known = known
        self.shared: set[str] = set()
        self.signatures: set[str] = set()
        self.rows: dict[str, set[str]] = {place: set() for place in store.PLACES}

    @property
    def digests(self) -> list[bytes]:
        return [digest(one) for one in sorted(self.known | self.signatures)]

    def is_theirs(self, one: Individual) -> bool:
        """Whether somebody is the person: by an identifier that is theirs, or by name beside a shared address."""
        return bool(one.identifiers & self.known or one.signatures & self.signatures)

    def sign(self, people: Iterable[Individual]) -> None:
        """Notes by which signatures the person is told from those who share their addresses."""
        names = {one.name for one in people if one.identifiers & self.known}
        addresses = [one.removeprefix("email:") for one in self.shared]
        self.signatures = {one for email in addresses for name in names if (one := signature(email, name))}


async def _searched(connection: Connection, asked: set[str], sure: set[str]) -> _Search:
    """All that the places know of the person with the identifiers `asked`, followed from place to place; `sure` are
    theirs whoever else has them."""
    search = _Search(set(asked))
    found: dict[tuple[str, str], list[Individual]] = {}
    todo = set(asked)
    own = set(asked)
    while todo:
        rows = await store.speaking_of(connection, sorted(todo))
        fresh = {(row["place"], row["key"]): (row["account_id"], list(spoken_of(_document(row)))) for row in rows}
        found |= {row: people for row, (_, people) in fresh.items()}
        people = [one for people in found.values() for one in people]
        own |= {name for one in people if f"linkedin:{one.linkedin_url}" in search.known for name in one.identifiers}
        for identifier in todo - sure:
            bearers = [
                (account, one) for account, some in fresh.values() for one in some if identifier in one.identifiers
            ]
            if identifier.startswith("email:") and _is_shared(identifier, bearers, identifier in own):
                search.known.discard(identifier)
                search.shared.add(identifier)
        search.sign(people)
        todo = {name for one in people if search.is_theirs(one) for name in one.identifiers}
        todo -= search.known | search.shared
        search.known |= todo
    for (place, key), people in found.items():
        if any(search.is_theirs(one) for one in people):
            search.rows[place].add(key)
    return search


async def _cleared(connection: Connection, listed: _Search) -> Forgotten | _Search:
    """Takes a person who is `listed` out of every place; where more is known of them by now than is on the list, only
    gives that."""
    async with connection.transaction():
        await store.hold_people(connection)
        await store.hold_feed(connection)
        search = await _searched(connection, listed.known, listed.known)
        if not set(search.digests) <= set(listed.digests):
            return search
        removed = {place: await store.clear(connection, place, keys) for place, keys in search.rows.items()}
        removed["crm_links"] = await store.drop_links(connection, search.digests)
        removed["idempotency"] = await store.drop_answers(connection, search.digests)
        mentions = [Mention(**row) for row in await store.mentions(connection, search.digests)]
    shown = sorted(one.removeprefix("email:") for one in search.shared)
    return Forgotten(len(search.known), removed, mentions, shown)


def _document(row: asyncpg.Record) -> Any:
    return [msgspec.json.decode(text) for text in row["documents"] if text]


def _is_shared(identifier: str, bearers: Iterable[tuple[str, Individual]], own: bool) -> bool:
    """Whether an address is that of several people, by who has it in which account.

    Clearly different names are two people. Where the address is the person's `own` (they are asked for by it, or their
    LinkedIn URL is beside it) that counts within one account only: no account keeps somebody for another. The address
    of a function (`info@…`) is one person's only where nothing differs.
    """
    role = is_role(identifier.removeprefix("email:").rpartition("@")[0])
    together: dict[str, set[tuple[str | None, str]]] = {}
    for account, one in bearers:
        together.setdefault(account if own and not role else "", set()).add((one.linkedin_url, one.name))
    everybody = set[tuple[str | None, str]]().union(*together.values())
    return any(_differ_in_profile(one, other, role) for one, other in combinations(everybody, 2)) or any(
        _differ_in_name(one, other, role) for some in together.values() for one, other in combinations(some, 2)
    )


def _differ_in_profile(one: tuple[str | None, str], other: tuple[str | None, str], role: bool) -> bool:
    """Whether two (LinkedIn URL, name) have profiles of their own; a person's URL may change, beside their name."""
    (url, name), (other_url, other_name) = one, other
    if not url or not other_url or url == other_url:
        return False
    return role or not name or not other_name or not same_name(name, other_name)


def _differ_in_name(one: tuple[str | None, str], other: tuple[str | None, str], role: bool) -> bool:
    """Whether two (LinkedIn URL, name) have clearly different names; a family name may change."""
    (url, name), (other_url, other_name) = one, other
    if not name or not other_name or (url and url == other_url):
        return False
    return (
        name != other_name
        if role
        else not (same_name(name, other_name) or name_words(name)[0] == name_words(other_name)[0])
    )


def mentions(*texts: Any) -> list[bytes]:
    """Whom free texts mention, as columns named `mentions` have it."""
    found = {name for text in texts if isinstance(text, str) for name in mentioned(text)}
    return [digest(one) for one in sorted(found)]
