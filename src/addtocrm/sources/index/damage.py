"""Builds whose files are not what was written: how tantivy says so, and how it is found out for certain."""

import contextlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import tantivy

SUSPECTED = "suspected"
FILES = ("idx", "pos", "term", "store", "fast", "fieldnorm")
BROKEN = ("An IO error occurred", "Failed to open", "Data corrupt")
"""How the errors of tantivy begin that are not about what was asked."""
PANICKED = "tantivy panicked"
CHUNK = 1 << 20


@contextlib.contextmanager
def telling() -> Iterator[None]:
    """Makes a ValueError, as tantivy's errors are, of a panic in it, which is no Exception."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError(f"{PANICKED}: {error}") from None


def tells_of_damage(error: Exception) -> bool:
    """Whether an error of a search is the build's fault; otherwise it is that of what was asked."""
    return isinstance(error, OSError) or str(error).startswith((*BROKEN, PANICKED))


def suspect(build: Path) -> None:
    """Says that the build may be damaged, to whoever follows."""
    with contextlib.suppress(OSError):
        (build / SUSPECTED).touch()


def is_suspected(build: Path) -> bool:
    return (build / SUSPECTED).exists()


def clear(build: Path) -> None:
    """Takes the suspicion back."""
    (build / SUSPECTED).unlink(missing_ok=True)


def is_sound(build: Path) -> bool:
    """Whether the build opens, and all files of its last commit have the checksums that tantivy gave them. Reads all of
    it."""
    while True:
        try:
            with telling():
                tantivy.Index.open(str(build)).reload()
            meta = (build / "meta.json").read_bytes()
            sound = all(_is_whole(build / name) for name in _names(msgspec.json.decode(meta)))
            if sound or meta == (build / "meta.json").read_bytes():
                return sound
        except (OSError, ValueError, KeyError):
            return False


def _names(meta: dict[str, Any]) -> Iterator[str]:
    for segment in meta["segments"]:
        id = segment["segment_id"].replace("-", "")
        yield from (f"{id}.{ending}" for ending in FILES)
        if segment["deletes"]:
            yield f"{id}.{segment['deletes']['opstamp']}.del"


def _is_whole(file: Path) -> bool:
    """Whether the CRC-32 of a file is that of its footer: JSON, then its length and a magic number in 4 bytes each."""
    try:
        with file.open("rb") as opened:
            end = opened.seek(-8, os.SEEK_END)
            left = opened.seek(end - int.from_bytes(opened.read(4), "little"))
            expected = msgspec.json.decode(opened.read(end - left))["crc"]
            opened.seek(0)
            found = 0
            while left:
                piece = opened.read(min(left, CHUNK))
                found, left = zlib.crc32(piece, found), left - len(piece)
            return found == expected
    except (OSError, ValueError, KeyError):
        return False
