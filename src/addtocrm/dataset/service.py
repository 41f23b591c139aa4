"""The rules of imports: streams, chunks, one transaction a chunk with its progress, refused rows beside the file."""

import asyncio
import csv
import hashlib
import io
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from addtocrm.dataset import columns, rows, store
from addtocrm.dataset.model import ImportResult, Kind, Progress, Record, RefusedError, Row
from addtocrm.dataset.readers import Source
from addtocrm.db.ids import new_id
from addtocrm.db.pool import Pool
from addtocrm.errors import ApiError

CHUNK_ROWS = 10_000
HEAD_BYTES = 65_536
Report = Callable[[Progress], None]

KINDS: dict[Kind, tuple[str, Callable[[dict[str, Any]], Row], dict[str, tuple[str, ...]]]] = {
    "people": ("per", rows.person, columns.PEOPLE),
    "companies": ("com", rows.company, columns.COMPANIES),
}


class Chunk(msgspec.Struct):
    """Rows ready for the table, and those that were refused, as CSV."""

    read: int
    rows: list[tuple[str | None, ...]]
    refused: int
    rejected: bytes
    bytes_done: int
    columns: set[str]


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
    try:
        source = Source(file)
    except RefusedError as error:
        raise ApiError("validation_error", str(error)) from None
    rejected_file = file.with_name(file.name + ".rejected.csv")
    try:
        async with pool.acquire() as connection:
            fingerprint = await asyncio.to_thread(_fingerprint, kind, file)
            done = None if restart else await store.progress(connection, fingerprint)
            if done is None:
                await store.begin(connection, fingerprint, kind, str(file))
            read = resumed = done["rows"] if done else 0
            created, updated = (done["created"], done["updated"]) if done else (0, 0)
            refused, rejected_bytes = (done["refused"], done["rejected_bytes"]) if done else (0, 0)
            _truncate(rejected_file, rejected_bytes)
            await asyncio.to_thread(_skip, source, read)
            seen: set[str] = set()
            upcoming = asyncio.create_task(asyncio.to_thread(_chunk, kind, source, refused == 0))
            while (chunk := await upcoming).read:
                # The next chunk is read while the database is at this one.
                upcoming = asyncio.create_task(asyncio.to_thread(_chunk, kind, source, refused + chunk.refused == 0))
                seen |= chunk.columns
                _append(rejected_file, chunk.rejected)
                async with connection.transaction():
                    new, old = await store.merge(connection, kind, chunk.rows)
                    read, created, updated = read + chunk.read, created + new, updated + old
                    refused, rejected_bytes = refused + chunk.refused, rejected_bytes + len(chunk.rejected)
                    await store.advance(connection, fingerprint, read, created, updated, refused, rejected_bytes)
                report(Progress(chunk.bytes_done, source.size, read, refused))
            known = {name for names in KINDS[kind][2].values() for name in names}
            if seen and not seen & known:
                raise ApiError("validation_error", f"{file.name} has none of the columns {', '.join(KINDS[kind][2])}.")
            await store.finish(connection, fingerprint)
    finally:
        source.close()
    return ImportResult(
        file=str(file),
        rows=read,
        created=created,
        updated=updated,
        refused=refused,
        rejected_file=str(rejected_file) if refused else None,
        resumed_from=resumed,
        ignored_columns=sorted(seen - known - {""}),
        seconds=round(time.monotonic() - began, 3),
    )


def _chunk(kind: Kind, source: Source, with_header: bool) -> Chunk:
    prefix, convert, _ = KINDS[kind]
    merged: dict[str, Row] = {}
    refused: list[tuple[Record, str]] = []
    names: set[str] = set()
    read = 0
    for record in _records(source):
        read += 1
        names.update(record.fields)
        try:
            if record.error:
                raise RefusedError(record.error)
            row = convert(record.fields)
        except RefusedError as error:
            refused.append((record, str(error)))
            continue
        before = merged.get(row.identity)
        if before:
            keys = tuple(new or old for new, old in zip(row.keys, before.keys, strict=True))
            row = Row(row.identity, keys, {**before.data, **row.data})
        merged[row.identity] = row
    encode = msgspec.json.encode
    ready: list[tuple[str | None, ...]] = [
        (new_id(prefix), row.identity, *row.keys, encode(row.data).decode()) for row in merged.values()
    ]
    return Chunk(read, ready, len(refused), _rejected(refused, with_header), source.bytes_done, names)


def _records(source: Source) -> Iterator[Record]:
    try:
        yield from islice(source.records, CHUNK_ROWS)
    except (csv.Error, EOFError, OSError) as error:
        raise ApiError("validation_error", f"The file cannot be read further: {error}.") from None


def _skip(source: Source, count: int) -> None:
    for _ in islice(source.records, count):
        pass


def _rejected(refused: list[tuple[Record, str]], with_header: bool) -> bytes:
    """Refused rows as CSV: line, reason and the fields as they were (as one JSON object)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if refused and with_header:
        writer.writerow(("line", "reason", "fields"))
    for record, reason in refused:
        fields = {name: _clean(value) for name, value in record.fields.items() if value not in (None, "")}
        writer.writerow((record.line, reason, msgspec.json.encode(fields, enc_hook=str).decode()))
    return text.getvalue().encode()


def _clean(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


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
