"""Files that commands write for people: whole or not at all, for their owner alone."""

import contextlib
import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from addtocrm.core.db.locks import is_taken


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Gives a new private file beside `file`, of a name that nobody can foresee, which takes its place at the end.

    Where the block fails it is removed; where the process was killed, by whoever writes `file` next. Raises OSError,
    also where `file` is a link or no file (such as /dev/stdout).
    """
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise FileExistsError(f"{file} is a link or no file; give another name.")
    _sweep(file)
    handle, name = tempfile.mkstemp(prefix=f"{file.name}.", suffix=".part", dir=file.parent)
    part = Path(name)
    try:
        with contextlib.suppress(OSError):  # Where files have no locks, nothing is removed either.
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield part
        part.replace(file)
    finally:
        os.close(handle)
        part.unlink(missing_ok=True)


def _sweep(file: Path) -> None:
    """Removes what a killed process left of `file`: what is as `replacing` makes it, and nobody's any more."""
    left = re.compile(rf"{re.escape(file.name)}\.[a-z0-9_]{{8}}\.part")
    for part in [one for one in file.parent.iterdir() if left.fullmatch(one.name)]:
        with contextlib.suppress(OSError):
            if _is_private(part.lstat()) and not is_taken(part):
                part.unlink()


def _is_private(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600 and found.st_uid == os.geteuid()
