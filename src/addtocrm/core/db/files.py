"""Files that commands write for people: whole or not at all, for their owner alone."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Gives a new private file beside `file`, of a name that nobody can foresee, which takes its place at the end.

    Where the block fails it is removed. Raises OSError, also where `file` is a link or no file (such as /dev/stdout).
    """
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise FileExistsError(f"{file} is a link or no file; give another name.")
    handle, name = tempfile.mkstemp(prefix=f"{file.name}.", suffix=".part", dir=file.parent)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
