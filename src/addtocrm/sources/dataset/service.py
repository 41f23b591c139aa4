"""The rules of imports: streams, chunks, one transaction a chunk with its progress, refused rows beside the file."""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg

from addtocrm.core.db.folders import open_private
from addtocrm.core.db.pool import Connection, DatabaseError, Pool
from addtocrm.core.errors import ApiError
from addtocrm.sources.dataset import store
from addtocrm.sources.dataset.chunks import KINDS, Chunk, reading
from addtocrm.sources.dataset.model import ImportResult, Kind, Progress, RefusedError
from addtocrm.sources.dataset.readers import Source
from addtocrm.sources.dataset.text import storable

HEAD_BYTES = 65_536
BROKEN_OFF = (
    ConnectionError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What the database raises, and no file."""
Report = Callable[[Progress], None]


async def import_people(pool: Pool, file: Path, report: Report, *, restart: bool = False) -> ImportResult:
    """Imports people from a CSV, JSON lines or Parquet file; the same person is updated, never doubled.

    An interrupted import of the same file goes on where it stopped, unless `restart`. Raises ApiError where the
    file cannot be read at all; rows that cannot be taken are written to FILE.rejected.csv.
    """
    return await _import(pool, "people", file, report, restart)


async def import_companies(pool: Pool, file: Path, report: Report, *, restart: bool = False) -> ImportResult:
    """Imports companies; as `import_people`."""
    return await _import(pool, "companies", file, report, restart)


async def _import(pool: Pool, kind: Kind, file: Path, report: Report, restart: bool) -> ImportResult:
    began = time.monotonic()
    file = file.absolute()
    rejected_file = file.with_name(file.name + ".rejected.csv")
    known = KINDS[kind].known
    seen: set[str] = set()
    try:
        await asyncio.to_thread(lambda: Source(file, known).close())
        version = _Version(file)
        async with pool.acquire() as connection, store.one_at_a_time(connection, version.digest) as alone:
            if not alone:
                raise RefusedError("Another process is importing it. Wait until that is done.")
            fingerprint = f"{kind}:{version.digest.hex()}"
            state = None if restart else await store.progress(connection, fingerprint)
            resumed = state["rows"] if state else 0
            state = state or await store.begin(connection, fingerprint, kind, storable(str(file)))
            _truncate(rejected_file, state["rejected_bytes"])
            with reading(kind, file, state["rows"], state["refused"]) as next_chunk:
                async for chunk in _ahead(next_chunk):
                    version.check()
                    seen |= chunk.columns
                    _append(rejected_file, chunk.rejected)
                    try:
                        state = await _merge(connection, fingerprint, kind, chunk, hold_suppressions=False)
                    except store.ForgottenMeanwhile:
                        state = await _merge(connection, fingerprint, kind, chunk, hold_suppressions=True)
                    report(Progress(chunk.bytes_done, version.size, state["rows"], state["refused"]))
            version.check()
            await store.finish(connection, fingerprint)
    except RefusedError as error:
        raise ApiError("validation_error", f"{storable(file.name)} is not imported: {error}") from None
    except BROKEN_OFF as error:
        raise DatabaseError(
            f"The database broke the import off ({error}). Start it again: it goes on where it stopped."
        ) from error
    return ImportResult(
        file=storable(str(file)),
        rows=state["rows"],
        created=state["created"],
        updated=state["updated"],
        unchanged=state["unchanged"],
        refused=state["refused"],
        suppressed=state["suppressed"],
        rejected_file=storable(str(rejected_file)) if state["refused"] else None,
        resumed_from=resumed,
        ignored_columns=sorted(seen - known - {""}),
        seconds=round(time.monotonic() - began, 3),
    )


async def _merge(
    connection: Connection, fingerprint: str, kind: Kind, chunk: Chunk, *, hold_suppressions: bool
) -> asyncpg.Record:
    """Puts a chunk into the table, in one transaction with how far the file has come, which it gives. Raises as
    `store.merge`."""
    async with connection.transaction():
        merged = await store.merge(connection, kind, chunk.rows, chunk.several, hold_suppressions=hold_suppressions)
        return await store.advance(connection, fingerprint, chunk.read, merged, chunk.refused, len(chunk.rejected))


class _Version:
    """A file as it is now. Its digest tells it from what it was or will be, by path, size, time, head and tail."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._status = file.stat()
        self.size = self._status.st_size
        digest = hashlib.sha256(f"3\n{self.size}\n{self._status.st_mtime_ns}\n".encode() + os.fsencode(file))
        with file.open("rb") as opened:
            digest.update(opened.read(HEAD_BYTES))
            opened.seek(max(0, self.size - HEAD_BYTES))
            digest.update(opened.read(HEAD_BYTES))
        self.digest = digest.digest()

    def check(self) -> None:
        """Raises RefusedError where the file has changed since."""
        status, then = self._file.stat(), self._status
        if (status.st_size, status.st_mtime_ns, status.st_ino) != (then.st_size, then.st_mtime_ns, then.st_ino):
            raise RefusedError("It was changed while it was read. Start the import again when it is complete.")


async def _ahead(next_chunk: Callable[[], Chunk | None]) -> AsyncIterator[Chunk]:
    """The chunks; each is read while the caller is at the one before."""
    upcoming = asyncio.create_task(asyncio.to_thread(next_chunk))
    try:
        while (chunk := await upcoming) is not None:
            upcoming = asyncio.create_task(asyncio.to_thread(next_chunk))
            yield chunk
    finally:
        upcoming.cancel()


def _truncate(file: Path, size: int) -> None:
    """Takes away what an interrupted run wrote after its last chunk, or what an earlier import left."""
    if not size:
        file.unlink(missing_ok=True)
        return
    with os.fdopen(open_private(file, os.O_WRONLY), "wb") as opened:
        if os.fstat(opened.fileno()).st_size > size:
            opened.truncate(size)


def _append(file: Path, text: bytes) -> None:
    if text:
        with os.fdopen(open_private(file, os.O_WRONLY | os.O_APPEND), "ab") as opened:  # It follows no link.
            opened.write(text)
