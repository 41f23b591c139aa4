"""Which items are under way in a process, for whoever comes after its death: notes in memory that is a file's.

The kernel keeps the file, however the process ends; the database hears of it only then. So a note costs no write.
"""

import fcntl
import mmap
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

import structlog

from addtocrm.core.db.folders import open_private

log = structlog.get_logger()

SLOTS = 8192
SLOT_BYTES = 64
FREE = bytes(SLOT_BYTES)
SUFFIX = ".under-way"
NOTE = re.compile(rb"(job_[0-9a-f]{32}):(\d{1,9});")

Place = tuple[str, int]
"""A job, and the position of an item of it."""


class UnderWay:
    """The notes of this process, in `folder`. Where the file cannot be made, nothing is noted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._free = list(range(SLOTS))
        self._file: int | None = None
        try:
            self._begin()
        except OSError as error:
            log.warning("items_under_way_not_noted", error=error.strerror)

    def _begin(self) -> None:
        path = self._folder / f"jobs-{secrets.token_hex(8)}{SUFFIX}"
        new = path.with_suffix(".new")
        self._file = open_private(new, os.O_RDWR | os.O_TRUNC)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        os.ftruncate(self._file, SLOTS * SLOT_BYTES)
        self._notes = mmap.mmap(self._file, SLOTS * SLOT_BYTES)
        self._path = new.rename(path)

    def begin(self, job: str, position: int) -> int | None:
        """Notes that an item is begun; gives what `end` is to be told."""
        if self._file is None or not self._free:
            return None
        slot = self._free.pop()
        self._put(slot, f"{job}:{position};".encode().ljust(SLOT_BYTES, b"\0"))
        return slot

    def end(self, slot: int | None) -> None:
        if self._file is not None and slot is not None:
            self._put(slot, FREE)
            self._free.append(slot)

    def _put(self, slot: int, note: bytes) -> None:
        self._notes[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES] = note

    def close(self) -> None:
        """Whatever is under way still: this process ends by order, and no item is to blame."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            self._notes.close()
            os.close(self._file)
            self._file = None

    def left(self) -> Iterator[tuple[Path, list[Place]]]:
        """The files of dead processes, and what was under way in each."""
        for path in self._folder.glob(f"jobs-*{SUFFIX}"):
            try:
                with path.open("rb") as file:
                    if not _lives(file.fileno()):
                        yield path, [(job.decode(), int(position)) for job, position in NOTE.findall(file.read())]
            except OSError as error:
                log.warning("items_under_way_unread", file=str(path), error=error.strerror)


def _lives(file: int) -> bool:
    """Whether the process that made a file lives."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
