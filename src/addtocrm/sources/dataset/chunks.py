"""A file as chunks of rows ready for the table; a large one is read by a process of its own."""

import csv
import gc
import io
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import msgspec

from addtocrm.core.ids import new_id
from addtocrm.sources.dataset import columns, rows
from addtocrm.sources.dataset.joined import one_each
from addtocrm.sources.dataset.joining import both
from addtocrm.sources.dataset.model import Kind, Record, RefusedError, Row
from addtocrm.sources.dataset.readers import Source
from addtocrm.sources.dataset.text import storable

CHUNK_ROWS = 10_000
SMALL_BYTES = 1_000_000
"""Up to this size, starting a process takes longer than reading the file (of text: a damaged Parquet file may end the
process that reads it)."""

CHUNK_BYTES = 32_000_000
"""What was read after which a chunk ends early: rows may be long."""


class Rules(msgspec.Struct, frozen=True):
    """How rows of a kind are read: the prefix of their ids, the columns that are understood, the conversion."""

    prefix: str
    columns: dict[str, tuple[str, ...]]
    convert: Callable[[dict[str, Any]], Row]

    @property
    def known(self) -> set[str]:
        return {name for names in self.columns.values() for name in names}


KINDS: dict[Kind, Rules] = {
    "people": Rules("per", columns.PEOPLE, rows.person),
    "companies": Rules("com", columns.COMPANIES, rows.company),
}


class Chunk(msgspec.Struct):
    """Rows ready for the table, and those that were refused, as CSV. `several` has the rows of the file for which one
    ready row (by its id) stands, where they are more than one."""

    read: int
    rows: list[tuple[str | None, ...]]
    several: dict[str, list[Row]]
    refused: int
    rejected: bytes
    bytes_done: int
    columns: set[str]


@contextmanager
def reading(kind: Kind, file: Path, skip: int, refused: int) -> Iterator[Callable[[], Chunk | None]]:
    """A function that blocks until the next chunk is there, and gives None at the end.

    `skip` rows were read before, and `refused` of them refused. The function raises RefusedError where the file
    cannot be read (further).
    """
    chunks = partial(_chunks, kind, file, skip, refused)
    if file.stat().st_size <= SMALL_BYTES and file.suffix.lower() != ".parquet":
        yield partial(next, chunks(), None)
        return
    process = multiprocessing.get_context("spawn")
    receiver, sender = cast(tuple[Connection, Connection], process.Pipe(duplex=False))
    producer = process.Process(target=_produce, args=(sender, chunks), daemon=True)
    producer.start()
    sender.close()
    try:
        yield partial(_receive, receiver)
    finally:
        producer.terminate()
        producer.join()


def _produce(sender: Connection, chunks: Callable[[], Iterator[Chunk]]) -> None:
    """Sends the chunks, then None, or why there are no more; ends when nobody listens any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(100_000)  # a chunk is many objects, none of them in a cycle
    try:
        for chunk in chunks():
            sender.send(chunk)
        sender.send(None)
    except RefusedError as error:
        sender.send(error)
    except BrokenPipeError:
        pass


def _receive(receiver: Connection) -> Chunk | None:
    try:
        received: Chunk | RefusedError | None = receiver.recv()
    except EOFError:
        raise RefusedError(
            "The process that read the file ended unexpectedly; start the import again to go on."
        ) from None
    if isinstance(received, RefusedError):
        raise received
    return received


def _chunks(kind: Kind, file: Path, skip: int, refused: int) -> Iterator[Chunk]:
    rules = KINDS[kind]
    source = Source(file, rules.known)
    try:
        for _ in islice(source.records, skip):
            pass
        while True:
            chunk = _chunk(rules, source, with_header=refused == 0)
            if not source.columns & rules.known:
                raise RefusedError(f"It has none of the columns {', '.join(rules.columns)}.")
            if not chunk.read:
                return
            refused += chunk.refused
            yield chunk
    finally:
        source.close()


def _chunk(rules: Rules, source: Source, *, with_header: bool) -> Chunk:
    merged: dict[str, Row] = {}
    groups: dict[str, list[Row]] = {}
    refused: list[tuple[Record, str]] = []
    read = size = 0
    for record in islice(source.records, CHUNK_ROWS):
        read += 1
        size += record.size
        try:
            if record.error:
                raise RefusedError(record.error)
            row = rules.convert(record.fields)
        except (RefusedError, RecursionError) as error:
            refused.append((record, str(error)))
        else:
            before = merged.get(row.identity)
            merged[row.identity] = both(before, row) if before else row
            groups.setdefault(row.identity, []).append(row)
        if size >= CHUNK_BYTES:
            break
    if rules.prefix == "per":
        one_each(merged, groups)
    encode = msgspec.json.encode
    ids = {identity: new_id(rules.prefix) for identity in merged}
    ready: list[tuple[str | None, ...]] = [
        (ids[row.identity], row.identity, *row.keys, encode(row.data).decode()) for row in merged.values()
    ]
    several = {ids[identity]: rows for identity, rows in groups.items() if len(rows) > 1}
    rejected = _rejected(refused, with_header)
    return Chunk(read, ready, several, len(refused), rejected, source.bytes_done, set(source.columns))


def _rejected(refused: list[tuple[Record, str]], with_header: bool) -> bytes:
    """Refused rows as CSV: line, reason and the fields as they were (as one JSON object)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if refused and with_header:
        writer.writerow(("line", "reason", "fields"))
    for record, reason in refused:
        fields = {storable(name): _shown(value) for name, value in record.fields.items() if value not in (None, "")}
        writer.writerow((record.line, storable(reason), msgspec.json.encode(fields).decode()))
    return text.getvalue().encode()


def _shown(value: Any) -> Any:
    """A value as it can be written as JSON."""
    try:
        return msgspec.json.decode(msgspec.json.encode(value, enc_hook=str))
    except (ValueError, TypeError, RecursionError):
        return storable(str(value))
