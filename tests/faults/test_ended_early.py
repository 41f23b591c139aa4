"""A command that is told to end while it starts, or while it works, leaves no process behind."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from harness import ADDTOCRM, Server, cli, free_port, until

from addtocrm.db.embedded import attach

MOMENTS = {
    "it makes the database": ("postgres.new", 0.1),
    "the database is made": ("postgres", 0),
    "PostgreSQL starts": ("postgres/postmaster.pid", 0),
    "PostgreSQL answers": ("run/.s.PGSQL.5432", 0),
    "it migrates": ("run/.s.PGSQL.5432", 0.5),
    "it goes on": ("run/.s.PGSQL.5432", 1.2),
    "its workers start": ("run/.s.PGSQL.5432", 2),
}


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ADDTOCRM_")}
    yield {**kept, "ADDTOCRM_DATA_DIR": str(tmp_path / "data"), "ADDTOCRM_PORT": str(free_port())}
    attach(tmp_path / "data").detach()


def at_home_in(folder: Path) -> list[str]:
    """The processes that were started for a data folder, or work in it."""
    found: list[str] = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            if process.environ().get("ADDTOCRM_DATA_DIR") == str(folder) or str(folder) in command:
                found.append(command)
        except psutil.Error:
            continue
    return found


def ended(environment: dict[str, str], moment: str, number: signal.Signals, *command: str) -> int:
    """The exit code of a command that got a signal at a moment; nobody is left then."""
    folder = Path(environment["ADDTOCRM_DATA_DIR"])
    landmark, seconds = MOMENTS[moment]
    process = subprocess.Popen(
        [ADDTOCRM, *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=folder.parent
    )
    until(lambda: (folder / landmark).exists())
    time.sleep(seconds)
    process.send_signal(number)
    _, said = process.communicate(timeout=90)
    assert b"Traceback" not in said
    until(lambda: not at_home_in(folder), 10)
    return process.returncode


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_server_that_is_told_to_end_while_it_starts(environment: dict[str, str], moment: str) -> None:
    assert ended(environment, moment, signal.SIGTERM, "serve") in (0, 128 + signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("moment", [*MOMENTS][:4])
def test_by_the_terminal(environment: dict[str, str], moment: str, number: signal.Signals) -> None:
    assert ended(environment, moment, number, "serve") == 128 + number


@pytest.mark.parametrize("moment", ["PostgreSQL starts", "it migrates", "it goes on"])
@pytest.mark.parametrize(
    "command",
    [["demo"], ["import", "people", "people.csv"], ["verify", "people.csv"], ["db", "backup", "x.dump"]],
    ids=" ".join,
)
def test_every_command_lets_go(environment: dict[str, str], tmp_path: Path, command: list[str], moment: str) -> None:
    rows = "".join(f"Person {number},person{number}@example.com\n" for number in range(100_000))
    (tmp_path / "people.csv").write_text(f"full_name,email\n{rows}")
    assert ended(environment, moment, signal.SIGTERM, *command) in (0, 1, 128 + signal.SIGTERM)
    assert not list(tmp_path.glob("*.dump*"))


def test_a_second_signal_changes_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    process = subprocess.Popen([ADDTOCRM, "serve"], env=environment, stderr=subprocess.DEVNULL)
    until((tmp_path / "data" / "run" / ".s.PGSQL.5432").exists)
    while process.poll() is None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process.send_signal(number)
        time.sleep(0.01)
    assert process.returncode != 0
    until(lambda: not at_home_in(tmp_path / "data"), 10)


def test_a_restore_that_is_killed_changes_nothing(new_server: Callable[..., Server], tmp_path: Path) -> None:
    server = new_server(start=False)
    commented = "create table long_%(n)s (); comment on table long_%(n)s is '%(text)s'"
    for number in range(60):
        server.query(f"do $do$ begin {commented % {'n': number, 'text': 'x' * 500_000}}; end $do$")
    file = tmp_path / "x.dump"
    cli("db", "backup", str(file), environment=server.environment)
    cli("accounts", "create", "later@example.com", environment=server.environment)
    process = subprocess.Popen([ADDTOCRM, "db", "restore", str(file), "--replace"], env=server.environment)
    at_work = "select 1 from pg_stat_activity where datname = current_database() and application_name = 'psql'"
    until(lambda: server.query(at_work + " and query ilike 'comment on table public.long_%'"))
    process.kill()
    process.wait()
    until(lambda: not server.query(at_work))
    assert server.query("select 1 from accounts where email = 'later@example.com'")
