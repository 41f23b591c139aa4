"""How the deployment is: what it stands on, what waits, and what vendors do."""

import asyncio
import shutil
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, cast

import msgspec
from prometheus_client import CollectorRegistry
from valkey.asyncio import Valkey
from valkey.exceptions import ValkeyError

from addtocrm.core import valkeys
from addtocrm.core.db.notify import Listener
from addtocrm.core.db.pool import DATABASE_FAILURES, Pool
from addtocrm.core.settings import Settings
from addtocrm.events import service as events
from addtocrm.jobs import service as jobs
from addtocrm.sources.index import folder
from addtocrm.sources.index.follow import behind
from addtocrm.sources.index.reader import NotReady, Reader

SECONDS = 3.0
"""A check that takes longer has failed."""
LEAST_FREE_BYTES = 2**30
MOST_BEHIND = 100
"""So many changes may the search index lack for a moment."""

ANSWERED = ("ok", "refused", "cancelled")
"""Outcomes of calls that are no fault of the vendor's."""


class Check(msgspec.Struct, frozen=True):
    check: str
    ok: bool | None
    """None where it could not be made."""
    found: str


class VendorUse(msgspec.Struct, frozen=True):
    """Calls to a vendor since this server started, and how many of its accounts are left alone now."""

    vendor: str
    calls: int
    failed: int
    circuits_open: int


class Problem(Exception):
    """What a check found wrong."""


async def checks(settings: Settings, pool: Pool, listener: Listener, reader: Reader) -> list[Check]:
    """All that can be said in a moment; `addtocrm doctor` asks the CRMs and mail servers, too."""
    return list(
        await asyncio.gather(
            _check("Database", _database(pool)),
            _check("Notices of the database", _notices(listener)),
            _check("Valkey", _valkey(settings)),
            _check("Search index", _search(settings, pool, reader)),
            _check("Data folder", _folder(settings.data_dir)),
            _check("Jobs", _jobs(pool)),
            _check("Events not in the feed yet", _events(pool)),
        )
    )


def vendors(registry: CollectorRegistry) -> list[VendorUse]:
    """What the metrics say of vendors."""
    found: dict[str, list[int]] = {}
    for family in registry.collect():
        for sample in family.samples:
            if sample.name not in ("addtocrm_vendor_calls_total", "addtocrm_vendor_circuits_open"):
                continue
            counts = found.setdefault(sample.labels["vendor"], [0, 0, 0])
            if sample.name == "addtocrm_vendor_circuits_open":
                counts[2] += int(sample.value)
            else:
                counts[0] += int(sample.value)
                counts[1] += int(sample.value) if sample.labels["outcome"] not in ANSWERED else 0
    return [VendorUse(vendor, *counts) for vendor, counts in sorted(found.items())]


def free_bytes(path: Path) -> int:
    """What is free where the data folder is. Raises Problem where that is too little."""
    free = shutil.disk_usage(path).free
    if free < LEAST_FREE_BYTES:
        raise Problem(f"{path} has {free / 2**30:.1f} GiB free; make room.")
    return free


async def _check(name: str, look: Awaitable[str]) -> Check:
    try:
        async with asyncio.timeout(SECONDS):
            return Check(name, True, await look)
    except (Problem, OSError, TimeoutError, ValkeyError, *DATABASE_FAILURES) as error:
        return Check(name, False, str(error) or f"no answer within {SECONDS:g} s")


async def _database(pool: Pool) -> str:
    version = await pool.fetchval("select current_setting('server_version')")
    size = await pool.fetchval("select pg_database_size(current_database())")
    used = pool.get_size() - pool.get_idle_size()
    return f"PostgreSQL {version}, {size / 2**20:,.0f} MiB; {used} of {pool.get_size()} connections are busy here"


async def _notices(listener: Listener) -> str:
    if not listener.connected:
        raise Problem("they do not arrive; the connection is made again")
    return "arrive"


async def _valkey(settings: Settings) -> str:
    if not settings.valkey_url:
        return "none is set: limits are counted in the database"
    client = cast(Any, Valkey).from_url(valkeys.address(settings.valkey_url))
    try:
        await client.ping()
    finally:
        await client.aclose()
    return "answers"


async def _search(settings: Settings, pool: Pool, reader: Reader) -> str:
    missing = await behind(pool, settings.data_dir / folder.NAME)
    try:
        people = await asyncio.to_thread(reader.count)
    except NotReady:
        raise Problem("is not there yet; the server builds it") from None
    if missing > MOST_BEHIND:
        raise Problem(f"{people:,} people, {missing:,} changes behind")
    return f"{people:,} people" + (f", {missing:,} changes behind" if missing else "")


async def _folder(path: Path) -> str:
    return f"{path}, {free_bytes(path) / 2**30:.0f} GiB free"


async def _jobs(pool: Pool) -> str:
    depths = await jobs.depths(pool)
    return f"{depths['queued']:,} queued, {depths['running']:,} running, {depths['pending']:,} items to be done"


async def _events(pool: Pool) -> str:
    return f"{await events.waiting(pool):,}"
