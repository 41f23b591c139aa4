"""Files that commands write for people: whole or not at all, for their owner alone."""

import contextlib
import fcntl
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path


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
        _locked(handle)
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
            handle = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if _is_private(os.fstat(handle)) and _locked(handle):
                    part.unlink()
            finally:
                os.close(handle)


def _is_private(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600 and found.st_uid == os.geteuid()


def _locked(handle: int) -> bool:
    """Whether the file is this process's until it is closed; false where it is another's, or files have no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
