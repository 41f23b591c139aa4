"""Backups: pg_dump's custom format, of the embedded or of any other PostgreSQL."""

import os
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from addtocrm.db.embedded import binaries


class BackupError(Exception):
    """A backup or restore that failed; the message says why."""


def backup(url: str, file: Path) -> None:
    """Writes the whole database at `url` to `file`. Raises BackupError, also where `file` exists."""
    if file.exists():
        raise BackupError(f"{file} exists; give another name.")
    part = file.with_name(file.name + ".part")
    try:
        _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", "--file", str(part))
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def restore(url: str, file: Path, *, replace: bool = False) -> None:
    """Reads a backup into the database at `url`, all of it or nothing.

    Raises BackupError where the database is in use already and not `replace`, or the file is no backup.
    """
    if not file.is_file():
        raise BackupError(f"There is no file {file}.")
    if not replace and _psql(url, "select to_regclass('public.alembic_version') is not null") == "t":
        raise BackupError("The database holds data already; `--replace` replaces all of it.")
    script = _run("pg_restore", None, "--no-owner", "--no-privileges", "--file=-", str(file))
    empty = b"drop schema if exists dbos cascade; drop schema public cascade; create schema public;\n"
    # A dump has no `create schema public`; dropped and made again in the transaction that fills it.
    _run("psql", url, "-X", "-q", "--single-transaction", "-v", "ON_ERROR_STOP=1", input=empty + script)


def _psql(url: str, query: str) -> str:
    return _run("psql", url, "-X", "-A", "-t", "-c", query).decode().strip()


def _run(tool: str, url: str | None, *arguments: str, input: bytes | None = None) -> bytes:
    """The tool's output. The password goes by environment, so that no list of processes shows it."""
    environment = dict(os.environ)
    command = [str(binaries() / tool), *arguments]
    if url:
        parts = urlsplit(url)
        if parts.password:
            environment["PGPASSWORD"] = unquote(parts.password)
        user, _, host = parts.netloc.rpartition("@")
        netloc = f"{user.partition(':')[0]}@{host}" if user else host
        command.append(f"--dbname={urlunsplit(parts._replace(netloc=netloc))}")
    done = subprocess.run(command, env=environment, capture_output=True, input=input)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise BackupError(f"{tool} failed: {lines[-1] if lines else 'no reason given'}")
    return done.stdout
