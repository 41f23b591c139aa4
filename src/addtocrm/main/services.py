"""What runs in a process: the one place where the rooms' services are joined."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from addtocrm.core.db.notify import Listener
from addtocrm.core.db.pool import DATABASE_FAILURES, Pool, open_pool
from addtocrm.core.idempotency.service import Idempotency
from addtocrm.core.outgoing import quotas
from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.leases import Leases
from addtocrm.core.settings import Settings
from addtocrm.crm import connections
from addtocrm.crm.setup import Setup
from addtocrm.events import service as events
from addtocrm.gate.limits import Limiter, ValkeyLimiter
from addtocrm.gate.shared import SharedLimiter
from addtocrm.lookups.hot import HotResults
from addtocrm.lookups.service import Lookups
from addtocrm.mail.engine import Engine
from addtocrm.mail.politeness import FOR_SINGLE_CALLS, TOTAL
from addtocrm.mail.postgres_slots import PostgresSlots
from addtocrm.privacy import service as suppressions
from addtocrm.sources import contract as sources
from addtocrm.sources import registry
from addtocrm.sources.index.reader import Reader
from addtocrm.sources.waterfall import Waterfall
from addtocrm.tenants.keys.service import KeyRing
from addtocrm.tenants.requests import service as requests
from addtocrm.tenants.requests.service import Journal
from addtocrm.tenants.sessions import service as sessions
from addtocrm.tenants.usage.service import Saved
from addtocrm.web.record import Recorder


class Services(msgspec.Struct, frozen=True):
    """What a server process has running."""

    settings: Settings
    pool: Pool
    crm: Setup
    listener: Listener
    ring: KeyRing
    hot: HotResults
    lookups: Lookups
    saved: Saved
    idempotency: Idempotency
    limiter: Limiter
    recorder: Recorder
    journal: Journal
    waterfall: Waterfall
    engine: Engine
    reader: Reader


@asynccontextmanager
async def running(
    settings: Settings,
    hear: Callable[[str, str], None] = lambda kind, subject: None,
    mail_connections: int = TOTAL + FOR_SINGLE_CALLS,
) -> AsyncIterator[Services]:
    """The services of one server process, started; `settings.database_url` must be set.

    `hear` is told of every notice (see `Listener`); `mail_connections` are open at a time, over all processes.
    """
    assert settings.database_url is not None
    session = await suppressions.session(settings.database_url, settings.data_dir, replace=True)
    pool = await open_pool(settings.database_url, session=session)
    ring = KeyRing(pool, settings.rate_per_minute, settings.rate_per_hour)
    hot = HotResults()

    def on_notice(kind: str, subject: str) -> None:
        if kind == "account":
            ring.forget(subject)
        elif kind == "results":
            hot.forget(subject)
        elif kind == "result":
            hot.forget_one(*subject.split(":"))
        elif kind == "lease":
            leases.freed(subject)
        hear(kind, subject)

    def on_lost() -> None:
        ring.forget_all()
        hot.clear()

    listener = Listener(settings.database_url, on_notice, on_lost)
    leases = Leases(pool, listener.instance)
    await listener.start()
    outgoing = Outgoing(settings, quotas.shared(settings.valkey_url, pool))
    crm = Setup(settings, pool, outgoing, leases)
    saved = Saved(pool)
    lookups = Lookups(pool, listener.instance, settings.cache_days, hot, ring.balances, saved)
    idempotency = Idempotency(pool, listener.instance)
    limiter = ValkeyLimiter(settings.valkey_url) if settings.valkey_url else SharedLimiter(pool, listener)
    recorder = Recorder()
    journal = Journal(pool)
    slots = PostgresSlots(settings.database_url, total=mail_connections)
    engine = Engine(settings, slots)
    reader = Reader(settings.data_dir)
    waterfall = Waterfall(registry.load(sources.Setup(settings, pool, engine, reader)))
    await lookups.sweep()
    tasks = [
        asyncio.create_task(work)
        for work in (
            events.keep_publishing(pool),
            events.keep_deleting(pool, settings.event_days),
            journal.keep_writing(),
            requests.keep_deleting(pool, settings.request_days),
            connections.keep_deleting(pool),
            lookups.keep_sweeping(),
            saved.keep_writing(),
            idempotency.keep_sweeping(),
            sessions.keep_deleting(pool),
        )
    ]
    try:
        yield Services(
            settings,
            pool,
            crm,
            listener,
            ring,
            hot,
            lookups,
            saved,
            idempotency,
            limiter,
            recorder,
            journal,
            waterfall,
            engine,
            reader,
        )
    finally:
        await lookups.drain()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(*DATABASE_FAILURES):
            await saved.write()
        await outgoing.close()
        await slots.close()
        await limiter.close()
        await listener.stop()
        await journal.close()
        await pool.close()
        recorder.close()
