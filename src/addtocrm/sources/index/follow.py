"""Following the people table: whoever was added, changed or deleted is so in the index within seconds."""

import asyncio
import contextlib
import time
from pathlib import Path

import asyncpg
import msgspec
import structlog
import tantivy

from addtocrm.core.db.folders import own_folder
from addtocrm.core.db.pool import DATABASE_FAILURES, Pool
from addtocrm.sources.index import damage, folder, store
from addtocrm.sources.index.build import add, build
from addtocrm.sources.index.damage import telling
from addtocrm.sources.index.folder import Busy

log = structlog.get_logger()

POLL_SECONDS = 0.5
RETRY_SECONDS = 2.0
DROP_SECONDS = 600.0
CHANGES = 10
"""Changes that are followed in one commit; an import makes one of each ten thousand rows."""
CHUNK = 2_000
HEAP_BYTES = 64_000_000
IDLE_SECONDS = 30.0
"""After this the writer's memory is given back."""
PURGE_SECONDS = 7 * 86_400.0
"""So old a build is, at the most, out of which people were taken: what is left of them in its files goes with it."""


class Follower:
    """Keeps the index in `root` as the people table is. One a host; it builds the index where there is none that can
    be followed."""

    def __init__(self, pool: Pool, root: Path) -> None:
        self._pool, self._root = pool, root
        self._build: Path | None = None
        self._writer: tantivy.IndexWriter | None = None
        self._purge: asyncio.Task[None] | None = None
        self._used_at = self._dropped_at = 0.0

    async def run(self) -> None:
        """Follows until it is cancelled. Raises EmbeddedError where another user made the folder."""
        try:
            while True:
                try:
                    own_folder(self._root)
                    with folder.following(self._root):
                        while True:
                            if not await self.step():
                                await asyncio.sleep(POLL_SECONDS)
                except Busy:
                    await asyncio.sleep(POLL_SECONDS)
                except (*DATABASE_FAILURES, OSError, ValueError) as error:
                    log.warning("search_index_stumbled", error=type(error).__name__, reason=str(error))
                    self._close()
                    self._build = None
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._close()
            if self._purge:
                self._purge.cancel()
                await asyncio.gather(self._purge, return_exceptions=True)

    async def step(self) -> bool:
        """Follows some changes; whether there were any. Raises Busy, ValueError where tantivy stumbles, and what the
        database raises."""
        feed = await store.feed(self._pool)
        current = folder.current(self._root)
        place = folder.position(current) if current else None
        if place and place.generation != feed.generation:
            folder.retire(self._root)
        lost = place is None or place.generation != feed.generation or place.number < feed.dropped
        if current is None or place is None or lost or not await self._is_sound(current):
            self._close()
            await self._build_anew()
            return True
        if place.gone and time.time() - place.built_at > PURGE_SECONDS and not self._purge:
            self._purge = asyncio.create_task(self._build_beside())
        folder.remove_others(self._root)
        await self._drop_old()
        changes = await store.changes(self._pool, place.number, CHANGES) if feed.last > place.number else []
        if not changes:
            if self._writer and time.monotonic() - self._used_at > IDLE_SECONDS:
                self._close()
            return False
        writer = self._open(current)
        ids = list(dict.fromkeys(id for _, ids in changes for id in ids))
        found = 0
        for at in range(0, len(ids), CHUNK):
            some = ids[at : at + CHUNK]
            rows = await store.some(self._pool, some)
            found += len(rows)
            await asyncio.to_thread(_put, writer, some, rows)
        await asyncio.to_thread(telling()(writer.commit))
        gone = place.gone or found < len(ids)
        folder.put_position(current, msgspec.structs.replace(place, number=changes[-1][0], gone=gone))
        self._used_at = time.monotonic()
        return True

    async def _is_sound(self, build: Path) -> bool:
        """Whether the build can be followed; it is read through before it is, and when a reader stumbled over it."""
        if build == self._build and not damage.is_suspected(build):
            return True
        self._close()
        sound = await asyncio.to_thread(damage.is_sound, build)
        log.info("search_index_checked", sound=sound)
        if sound:
            damage.clear(build)
            self._build = build
        return sound

    async def _build_anew(self) -> None:
        began = time.monotonic()
        done = await build(self._pool, self._root)
        log.info("search_index_built", people=done, seconds=round(time.monotonic() - began, 1))

    async def _build_beside(self) -> None:
        """Builds while the current build is followed; one that fails is tried again."""
        try:
            await self._build_anew()
        except (Busy, *DATABASE_FAILURES, OSError, ValueError) as error:
            log.warning("search_index_stumbled", error=type(error).__name__, reason=str(error))
            await asyncio.sleep(RETRY_SECONDS)
        finally:
            self._purge = None

    def _open(self, build: Path) -> tantivy.IndexWriter:
        if self._writer is None:
            with telling():
                self._writer = tantivy.Index.open(str(build)).writer(HEAP_BYTES, 1)
        return self._writer

    def _close(self) -> None:
        writer, self._writer = self._writer, None
        if writer:
            with contextlib.suppress(ValueError), telling():
                writer.wait_merging_threads()

    async def _drop_old(self) -> None:
        if time.monotonic() - self._dropped_at > DROP_SECONDS:
            self._dropped_at = time.monotonic()
            await store.drop_old(self._pool)


async def followed(pool: Pool, root: Path) -> None:
    """Returns once the current build in `root`, which another process follows, has all changes that there are now."""
    feed = await store.feed(pool)
    while True:
        current = folder.current(root)
        place = folder.position(current) if current else None
        if place and place.generation == feed.generation and place.number >= feed.last:
            return
        await asyncio.sleep(POLL_SECONDS)


async def behind(pool: Pool, root: Path) -> int:
    """How many changes of the people table the current build in `root` does not have yet."""
    current, feed = folder.current(root), await store.feed(pool)
    place = folder.position(current) if current else None
    known = place.number if place and place.generation == feed.generation else 0
    return max(0, feed.last - known)


@telling()
def _put(writer: tantivy.IndexWriter, ids: list[str], rows: list[asyncpg.Record]) -> None:
    for id in ids:
        writer.delete_documents_by_term("id", id)
    add(writer, rows)
