"""Backups: pg_dump's custom format, of the embedded or of any other PostgreSQL."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from addtocrm.core.db.files import replacing
from addtocrm.core.db.postmaster import binaries

COPY_BYTES = 2**20

SET_ASIDE = b"""
do $$ begin
    if to_regclass('public.suppressions') is not null then
        if exists (select from public.suppressions) then
            create schema carried;
            alter table public.suppressions set schema carried;
            if to_regclass('public.suppression_key') is not null then
                alter table public.suppression_key set schema carried;
            end if;
        end if;
    end if;
end $$;
"""
"""Who asked to be forgotten stays so: their list outlives the database, until `suppressions` takes it over."""

COMPARE = b"""
do $$ begin
    if to_regclass('public.people_feed') is not null then
        update public.people_feed set generation = gen_random_uuid();
    end if;
    if to_regclass('carried.suppression_key') is not null and to_regclass('public.suppression_key') is not null then
        if exists (select from public.suppressions) and not exists (
            select from public.suppression_key join carried.suppression_key using (fingerprint)
        ) then
            raise exception 'its suppression list has another key than the one here; two lists with two keys cannot'
                ' become one.';
        end if;
    end if;
end $$;
"""


class BackupError(Exception):
    """A backup or restore that failed; the message says why."""


def backup(url: str, file: Path) -> None:
    """Writes the whole database at `url` to `file`, for its owner alone. Raises BackupError, also where that exists."""
    if file.exists():
        raise BackupError(f"{file} exists; give another name.")
    with replacing(file) as part:
        format = ("--format=custom", "--no-owner", "--no-privileges")
        # A restored database is another one to who follows the changes.
        _run("pg_dump", url, *format, "--exclude-table-data=people_changes", "--file", str(part))


def restore(url: str, file: Path, *, replace: bool = False) -> None:
    """Reads a backup into the database at `url`, all of it or nothing. The suppression list of the database that it
    replaces is set aside for `suppressions.after_restore`.

    Raises BackupError where the database is in use already and not `replace`, or the file is no backup.
    """
    if not file.is_file():
        raise BackupError(f"There is no file {file}.")
    if not replace and _psql(url, "select to_regclass('public.alembic_version') is not null") == "t":
        raise BackupError("The database holds data already; `--replace` replaces all of it.")
    with tempfile.TemporaryFile() as said:
        script = subprocess.Popen(
            [binaries() / "pg_restore", "--no-owner", "--no-privileges", "--file=-", file],
            stdout=subprocess.PIPE,
            stderr=said,
        )
        command, environment = _command("psql", url, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse")
        database = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said
        )
        assert script.stdout is not None and database.stdin is not None
        try:
            # A dump has no `create schema public`; dropped and made again in the transaction that fills it.
            database.stdin.write(b"begin; drop schema if exists dbos cascade;\n")
            database.stdin.write(SET_ASIDE)
            database.stdin.write(b"drop schema public cascade;\n")
            database.stdin.write(b"create schema public;\n")
            shutil.copyfileobj(script.stdout, database.stdin, COPY_BYTES)
            database.stdin.write(COMPARE)
            if not script.wait():
                database.stdin.write(b"commit;\n")  # Without it nothing is done, whatever ends the input.
        except BrokenPipeError:
            script.kill()  # psql met an error and ended.
        with contextlib.suppress(BrokenPipeError):
            database.stdin.close()
        if database.wait() or script.wait():
            said.seek(0)
            raise BackupError(f"The restore failed, nothing was changed: {_last_line(said.read())}")


def _psql(url: str, query: str) -> str:
    return _run("psql", url, "-X", "-A", "-t", "-c", query).decode().strip()


def _run(tool: str, url: str, *arguments: str) -> bytes:
    command, environment = _command(tool, url, *arguments)
    done = subprocess.run(command, env=environment, capture_output=True)
    if done.returncode:
        raise BackupError(f"{tool} failed: {_last_line(done.stderr)}")
    return done.stdout


def _command(tool: str, url: str, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """A PostgreSQL tool's command and environment: the password is in the latter, so that no list of processes
    shows it."""
    environment = dict(os.environ)
    parts = urlsplit(url)
    if parts.password:
        environment["PGPASSWORD"] = unquote(parts.password)
    user, _, host = parts.netloc.rpartition("@")
    netloc = f"{user.partition(':')[0]}@{host}" if user else host
    return [str(binaries() / tool), *arguments, f"--dbname={urlunsplit(parts._replace(netloc=netloc))}"], environment


def _last_line(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "no reason given"
