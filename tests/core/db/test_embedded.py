"""The embedded PostgreSQL: shared, stopped with the last user, safe after kill -9; and its backups."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from addtocrm.core.db.backup import BackupError, backup, restore
from addtocrm.core.db.embedded import EmbeddedError, attach
from addtocrm.core.db.migrate import migrate

HOLD = """
import sys, pathlib
from addtocrm.core.db.embedded import attach
attachment = attach(pathlib.Path(sys.argv[1]))
print(attachment.url, flush=True)
sys.stdin.readline()
attachment.detach()
"""


def user(folder: Path) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process


def started(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def leave(process: "subprocess.Popen[str]") -> None:
    process.communicate("\n", timeout=150)
    assert process.returncode == 0


def query(url: str, sql: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def server_pid(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def runs(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_six_first_users_at_once_share_one_server(tmp_path: Path) -> None:
    folder = tmp_path / "data with spaces"
    users = [user(folder) for _ in range(6)]
    urls = {started(one) for one in users}
    assert len(urls) == 1
    pid = server_pid(folder)
    for one in users[:-1]:
        leave(one)
    assert query(urls.pop(), "select 1") == 1
    assert runs(pid)
    leave(users[-1])
    assert not runs(pid)


def test_after_a_users_kill_the_next_one_goes_on_and_stops_it(tmp_path: Path) -> None:
    first = user(tmp_path)
    url = started(first)
    query(url, "create table kept (n int)")
    pid = server_pid(tmp_path)
    first.kill()
    first.wait()
    with attach(tmp_path) as attachment:
        assert server_pid(tmp_path) == pid
        assert query(attachment.url, "select count(*) from kept") == 0
    assert not runs(pid)


def test_after_the_servers_kill_it_starts_again(tmp_path: Path) -> None:
    with attach(tmp_path) as attachment:
        query(attachment.url, "create table kept (n int)")
        os.kill(server_pid(tmp_path), signal.SIGKILL)
    with attach(tmp_path) as attachment:
        assert query(attachment.url, "select count(*) from kept") == 0


def test_a_stale_pid_file_is_no_hindrance(tmp_path: Path) -> None:
    attach(tmp_path).detach()
    (tmp_path / "postgres" / "postmaster.pid").write_text(f"{os.getpid()}\n{tmp_path}/postgres\n1\n5432\n\n\n\nready\n")
    with attach(tmp_path) as attachment:
        assert query(attachment.url, "select 1") == 1


def test_another_major_says_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedError, match=r"PostgreSQL 16.*PostgreSQL 18.*db backup.*db restore"):
        attach(tmp_path)


def test_backup_and_restore(postgres: str, tmp_path: Path) -> None:
    with attach(tmp_path / "one") as one, attach(tmp_path / "two") as two:
        migrate(one.url)
        query(one.url, "insert into people (id, identity, data) values ('per_1', 'in:x', '{}')")
        file = tmp_path / "all.backup"
        backup(one.url, file)
        with pytest.raises(BackupError, match="exists"):
            backup(one.url, file)
        restore(two.url, file)
        assert query(two.url, "select identity from people") == "in:x"
        with pytest.raises(BackupError, match="replace"):
            restore(two.url, file)
        query(two.url, "delete from people")
        damaged = tmp_path / "damaged.backup"
        damaged.write_bytes(file.read_bytes()[:-2000])
        with pytest.raises(BackupError):
            restore(two.url, damaged, replace=True)
        assert query(two.url, "select count(*) from accounts") == 0
        restore(two.url, file, replace=True)
        assert query(two.url, "select identity from people") == "in:x"
        migrate(two.url)
