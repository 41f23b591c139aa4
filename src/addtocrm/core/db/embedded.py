"""The embedded PostgreSQL: one server a data folder, shared by all processes that use the folder.

Users are counted by shared locks on a file, which the kernel drops when a process dies, however it dies; the last
one to leave stops the server. A forked child shares its parent's lock until it ends too. While a process keeps the
server (db/keeper.py), it alone starts it, and the others wait for that.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from addtocrm.core.db import locks, postmaster
from addtocrm.core.db.folders import EmbeddedError, data_folder, open_private
from addtocrm.core.db.interrupts import uninterrupted

KEPT_SECONDS = 60.0
KEPT_POLL_SECONDS = 0.05


class Attachment:
    """One process's use of the server of a data folder."""

    def __init__(self, data_dir: Path, users: int) -> None:
        self.url = postmaster.url(data_dir / "postgres")
        """For asyncpg and libpq alike."""
        self._data_dir = data_dir
        self._users = users

    def detach(self) -> None:
        """Ends this use; the last one stops the server. Doing it twice is no error."""
        if self._users < 0:
            return
        # A second signal would leave the server without its last user.
        with uninterrupted(), locks.locked(self._data_dir / "postgres.lock"):
            users, self._users = self._users, -1
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                postmaster.stop(self._data_dir / "postgres")
            os.close(users)

    def __enter__(self) -> "Attachment":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()


def attach(data_dir: Path, *, keeping: bool = False) -> Attachment:
    """Uses the server of `data_dir`: makes and starts it where needed. Raises EmbeddedError.

    `keeping`: this process holds the keeper's lock.
    """
    with explained(data_dir):
        data_dir = data_folder(data_dir)
        users = open_private(data_dir / "postgres.users", os.O_RDWR)
        attachment = Attachment(data_dir, users)
        try:
            deadline = time.monotonic() + KEPT_SECONDS
            while not _use(data_dir, users, keeping):
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"A server runs on {data_dir}, but its database does not answer.")
                time.sleep(KEPT_POLL_SECONDS)
        except Exception:
            os.close(users)
            raise
        except KeyboardInterrupt:
            attachment.detach()
            raise
    return attachment


def restart(data_dir: Path) -> None:
    """Starts the server of `data_dir` again where it does not live. Raises EmbeddedError."""
    with explained(data_dir), locks.locked(data_dir / "postgres.lock"):
        postmaster.start(data_dir / "postgres")


def is_kept(data_dir: Path) -> bool:
    """Whether a living process keeps the server of `data_dir`."""
    return locks.is_taken(keeper_lock(data_dir))


def keeper_lock(data_dir: Path) -> Path:
    """The file whose lock the keeper holds."""
    return data_dir / "serve.lock"


@contextmanager
def explained(data_dir: Path) -> Iterator[None]:
    """Turns an OSError into an EmbeddedError that says what to do."""
    try:
        yield
    except OSError as error:
        raise EmbeddedError(
            f"The data folder {data_dir} cannot be used ({error.strerror or error}); set ADDTOCRM_DATA_DIR to "
            "a folder that can be written to, or ADDTOCRM_DATABASE_URL to a PostgreSQL of your own."
        ) from error


def _use(data_dir: Path, users: int, keeping: bool) -> bool:
    """Counts this process in; False where another one keeps the server and has yet to start it."""
    with locks.locked(data_dir / "postgres.lock"):
        # Waits for nobody: an exclusive lock is only ever taken under postgres.lock.
        fcntl.flock(users, fcntl.LOCK_SH)
        if not keeping and is_kept(data_dir):
            return postmaster.answers(data_dir / "postgres")
        postmaster.start(data_dir / "postgres")
        return True
