"""The rules of imports: streams, chunks, one transaction a chunk with its progress, refused rows beside the file."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from addtocrm.dataset import columns, store
from addtocrm.dataset.chunks import Chunk, reading
from addtocrm.dataset.model import ImportResult, Kind, Progress, RefusedError
from addtocrm.dataset.readers import Source
from addtocrm.db.pool import Pool
from addtocrm.errors import ApiError

HEAD_BYTES = 65_536
Report = Callable[[Progress], None]

COLUMNS = {"people": columns.PEOPLE, "companies": columns.COMPANIES}


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
    fields = COLUMNS[kind]
    known = {name for names in fields.values() for name in names}
    seen: set[str] = set()
    try:
        Source(file).close()
        size = file.stat().st_size
        async with pool.acquire() as connection:
            fingerprint = await asyncio.to_thread(_fingerprint, kind, file)
            state = None if restart else await store.progress(connection, fingerprint)
            resumed = state["rows"] if state else 0
            state = state or await store.begin(connection, fingerprint, kind, str(file))
            _truncate(rejected_file, state["rejected_bytes"])
            with reading(kind, file, state["rows"], state["refused"]) as next_chunk:
                async for chunk in _ahead(next_chunk):
                    seen |= chunk.columns
                    if not seen & known:
                        raise RefusedError(f"{file.name} has none of the columns {', '.join(fields)}.")
                    _append(rejected_file, chunk.rejected)
                    async with connection.transaction():
                        merged = await store.merge(connection, kind, chunk.rows)
                        state = await store.advance(
                            connection, fingerprint, chunk.read, merged, chunk.refused, len(chunk.rejected)
                        )
                    report(Progress(chunk.bytes_done, size, state["rows"], state["refused"]))
            await store.finish(connection, fingerprint)
    except RefusedError as error:
        raise ApiError("validation_error", str(error)) from None
    return ImportResult(
        file=str(file),
        rows=state["rows"],
        created=state["created"],
        updated=state["updated"],
        refused=state["refused"],
        suppressed=state["suppressed"],
        rejected_file=str(rejected_file) if state["refused"] else None,
        resumed_from=resumed,
        ignored_columns=sorted(seen - known - {""}),
        seconds=round(time.monotonic() - began, 3),
    )


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
    if file.exists():
        if size:
            with file.open("r+b") as opened:
                opened.truncate(size)
        else:
            file.unlink()


def _append(file: Path, text: bytes) -> None:
    if text:
        with file.open("ab") as opened:
            opened.write(text)


def _fingerprint(kind: Kind, file: Path) -> str:
    """What tells an unchanged file: its path, size, time, head and tail."""
    status = file.stat()
    digest = hashlib.sha256(f"{kind}\n{file}\n{status.st_size}\n{status.st_mtime_ns}\n".encode())
    with file.open("rb") as opened:
        digest.update(opened.read(HEAD_BYTES))
        opened.seek(max(0, status.st_size - HEAD_BYTES))
        digest.update(opened.read(HEAD_BYTES))
    return digest.hexdigest()
