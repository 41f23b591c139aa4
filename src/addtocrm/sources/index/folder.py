"""The folder of the index: builds of it beside each other, of which one is current.

A build is a folder that tantivy writes, with the place in the changes up to which it follows the people table.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from addtocrm.core.db import locks
from addtocrm.core.db.folders import own_folder
from addtocrm.sources.index.schema import VERSION

NAME = "search"
CURRENT, POSITION = "current", "position.json"
PREFIX = "build-"


class Position(msgspec.Struct, frozen=True):
    """Which changes are in a build: those of the database `generation` up to `number`. It was built at `built_at` (Unix
    time); `gone`: people have been taken out of it since, of whom words may be left in its files."""

    generation: str
    number: int
    built_at: float
    gone: bool = False
    version: int = VERSION


class Busy(Exception):
    """Another process is building the index."""


def root(data_dir: Path) -> Path:
    """Where the builds are. Raises EmbeddedError for a folder that another user made."""
    folder = data_dir / NAME
    own_folder(folder)
    return folder


def current(root: Path) -> Path | None:
    """The build that is searched; None where there is none."""
    before = None
    while (name := _name(root)) != before:
        if name and (root / name).is_dir():
            return root / name
        before = name
    return None


def _name(root: Path) -> str | None:
    try:
        return (root / CURRENT).read_text()
    except FileNotFoundError:
        return None


def position(build: Path) -> Position | None:
    """Up to where the build follows; None where it is of another version, or it cannot be told."""
    try:
        found = msgspec.json.decode((build / POSITION).read_bytes(), type=Position)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.version == VERSION else None


def put_position(build: Path, place: Position) -> None:
    """Keeps up to where the build follows; after what was written to it is on disk."""
    _replace(build / POSITION, msgspec.json.encode(place))


def new_build(root: Path) -> Path:
    """An empty build, which nobody searches yet; while nobody else is `building`."""
    _remove(_others(root))
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))


def make_current(root: Path, build: Path) -> None:
    """From now on the build is searched."""
    _replace(root / CURRENT, build.name.encode())


def retire(root: Path) -> None:
    """From now on no build is searched, until the next is made current."""
    (root / CURRENT).unlink(missing_ok=True)


def remove_others(root: Path) -> None:
    """Removes the builds before the current one, and what a builder left that was killed; nothing while somebody
    builds. Whoever still reads a build has its files open."""
    if _others(root):
        with contextlib.suppress(Busy), building(root):
            _remove(_others(root))


def _others(root: Path) -> list[Path]:
    kept = current(root)
    return [build for build in root.glob(f"{PREFIX}*") if build != kept]


def _remove(builds: list[Path]) -> None:
    for build in builds:
        shutil.rmtree(build, ignore_errors=True)


@contextlib.contextmanager
def building(root: Path) -> Iterator[None]:
    """Only one builds at a time. Raises Busy."""
    with _alone(root / "build.lock"):
        yield


@contextlib.contextmanager
def following(root: Path) -> Iterator[None]:
    """Only one process of a host follows the people table. Raises Busy."""
    with _alone(root / "follow.lock"):
        yield


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    lock = locks.take(file)
    if lock is None:
        raise Busy
    try:
        yield
    finally:
        os.close(lock)


def _replace(file: Path, text: bytes) -> None:
    new = file.with_suffix(".new")
    with new.open("wb") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)
