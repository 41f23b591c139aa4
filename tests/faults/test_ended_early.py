"""A command that is told to end while it starts, or while it works, leaves no process behind."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from harness import ADDTOCRM, Server, cli, free_port, until

from addtocrm.core.db.embedded import attach

Moment = Callable[[Path], bool]


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


def there(*names: str) -> Moment:
    """When there is one of them; whoever looks late finds the last."""
    return lambda folder: any((folder / name).exists() for name in names)


def as_from_a_terminal() -> None:
    """Who runs the tests may ignore these signals (nohup, a job in the background), and so would the command."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def ended(environment: dict[str, str], moment: Moment, number: signal.Signals, *command: str) -> int:
    """The exit code of a command that got a signal at a moment; nobody is left then."""
    folder = Path(environment["ADDTOCRM_DATA_DIR"])
    process = subprocess.Popen(
        [ADDTOCRM, *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=folder.parent,
        preexec_fn=as_from_a_terminal,
    )
    until(lambda: moment(folder) or process.poll() is not None)
    process.send_signal(number)
    _, said = process.communicate(timeout=90)
    assert b"Traceback" not in said
    until(lambda: not at_home_in(folder))
    return process.returncode


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        pytest.param(there("postgres.new", "postgres"), signal.SIGHUP, id="it makes the database"),
        pytest.param(there("postgres/postmaster.pid"), signal.SIGTERM, id="PostgreSQL starts"),
        pytest.param(there("run/.s.PGSQL.5432"), signal.SIGINT, id="PostgreSQL answers"),
    ],
)
def test_a_server_that_is_told_to_end_while_it_starts(
    environment: dict[str, str], moment: Moment, number: signal.Signals
) -> None:
    assert ended(environment, moment, number, "serve") in (0, 128 + number)


@pytest.mark.parametrize(
    ("command", "moment"),
    [
        pytest.param(["import", "people", "people.csv"], there("run/.s.PGSQL.5432"), id="import"),
        pytest.param(["verify", "people.csv"], there("run/.s.PGSQL.5432"), id="verify"),
        pytest.param(["db", "backup", "x.dump"], there("postgres/postmaster.pid"), id="backup"),
    ],
)
def test_every_command_lets_go(environment: dict[str, str], tmp_path: Path, command: list[str], moment: Moment) -> None:
    rows = "".join(f"Person {number},person{number}@example.com\n" for number in range(20_000))
    (tmp_path / "people.csv").write_text(f"full_name,email\n{rows}")
    while not (code := ended(environment, moment, signal.SIGTERM, *command)):  # it was done before it was told to end
        (tmp_path / "x.dump").unlink(missing_ok=True)
    assert code in (1, 128 + signal.SIGTERM)
    assert not list(tmp_path.glob("*.dump*"))


def test_a_second_signal_changes_nothing(environment: dict[str, str], tmp_path: Path) -> None:
    process = subprocess.Popen(
        [ADDTOCRM, "serve"], env=environment, stderr=subprocess.DEVNULL, preexec_fn=as_from_a_terminal
    )
    until((tmp_path / "data" / "run" / ".s.PGSQL.5432").exists)
    while process.poll() is None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process.send_signal(number)
        time.sleep(0.01)
    until(lambda: not at_home_in(tmp_path / "data"))


HOLDING_UP = (
    """create function held_up(int) returns bool language plpgsql immutable as
       $$ begin perform pg_advisory_xact_lock_shared(7); return true; end $$""",
    "create table a_held (n int check (held_up(n)))",
    "insert into a_held values (1)",
    "create table b_long (text text)",
    "insert into b_long select repeat('x', 500000) from generate_series(1, 20)",
)
"""A backup with these is restored as far as the first table while another session has the lock; more is to come."""


def test_a_restore_that_is_killed_changes_nothing(new_server: Callable[..., Server], tmp_path: Path) -> None:
    server = new_server(start=False)

    async def kill_in_the_middle() -> None:
        connection = await asyncpg.connect(server.database_url)
        await connection.execute("select pg_advisory_lock(7)")
        process = subprocess.Popen([ADDTOCRM, "db", "restore", str(file), "--replace"], env=server.environment)
        await asyncio.to_thread(until, lambda: server.query(at_work + " and wait_event = 'advisory'"))
        process.kill()
        process.wait()
        await connection.close()

    for statement in HOLDING_UP:
        server.query(statement)
    file = tmp_path / "x.dump"
    cli("db", "backup", str(file), environment=server.environment)
    cli("accounts", "create", "later@example.com", environment=server.environment)
    at_work = "select 1 from pg_stat_activity where datname = current_database() and application_name = 'psql'"
    asyncio.run(kill_in_the_middle())
    until(lambda: not server.query(at_work))
    assert server.query("select 1 from accounts where email = 'later@example.com'")
