"""Building the index anew, by streaming all people."""

import asyncio
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import asyncpg
import msgspec
import structlog
import tantivy

from addtocrm.core.db.pool import Pool
from addtocrm.sources.index import folder, schema, store
from addtocrm.sources.index.damage import telling
from addtocrm.sources.index.folder import Position

log = structlog.get_logger()

CHUNK = 5_000
HEAP_BYTES = 128_000_000
THREADS = 2

Report = Callable[[int, int], None]


async def build(pool: Pool, root: Path, report: Report = lambda done, total: None) -> int:
    """Builds the index in `root` and makes it current; gives how many people are in it.

    `report(done, total)` is told how far it is. Whoever changes meanwhile is followed from there. Raises Busy, OSError
    and what the database raises; what was current stays then.
    """
    with folder.building(root):
        feed, total = await store.feed(pool), await store.count(pool)
        new = folder.new_build(root)
        try:
            done = await _fill(pool, new, lambda count: report(count, max(count, total)))
            folder.put_position(new, Position(feed.generation, feed.last, time.time()))
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        folder.make_current(root, new)
        return done


async def _fill(pool: Pool, build: Path, report: Callable[[int], None]) -> int:
    writer = tantivy.Index(schema.build(), path=str(build)).writer(HEAP_BYTES, THREADS)
    done = 0
    async for rows in store.people(pool, CHUNK):
        await asyncio.to_thread(add, writer, rows)
        done += len(rows)
        report(done)
    await asyncio.to_thread(_finish, writer)
    return done


@telling()
def _finish(writer: tantivy.IndexWriter) -> None:
    writer.commit()
    writer.wait_merging_threads()


@telling()
def add(writer: tantivy.IndexWriter, rows: Sequence[asyncpg.Record]) -> None:
    """Adds people, each (id, data). One whose data have another form than an import gives them is left out."""
    for row in rows:
        try:
            document = schema.document(row["id"], msgspec.json.decode(row["data"]))
        except (ValueError, TypeError, AttributeError) as error:
            log.warning("person_not_indexed", person=row["id"], reason=str(error))
        else:
            writer.add_json(document)
