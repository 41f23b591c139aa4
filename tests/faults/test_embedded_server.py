"""A server is alone at its address and its folder, and comes back by itself when its database is killed."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import psutil
import pytest
from harness import ADDTOCRM, Server, cli, until
from world import WorldBeside

from addtocrm.core.db import postmaster
from addtocrm.core.db.embedded import attach
from addtocrm.core.db.migrate import migrate

NewServer = Callable[..., Server]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder, whose database is stopped in the end."""
    yield tmp_path / "data"
    if (tmp_path / "data").exists():
        attach(tmp_path / "data").detach()


@pytest.fixture
def new_embedded(folder: Path, new_server: NewServer) -> NewServer:
    """Servers on that folder."""

    def make(**environment: str) -> Server:
        server = new_server(postmaster.url(folder / "postgres"), start=False, **environment)
        server.environment["ADDTOCRM_DATA_DIR"] = str(folder)
        del server.environment["ADDTOCRM_DATABASE_URL"]
        return server

    return make


def refused(server: Server, command: str = "serve") -> str:
    """What a server says that ends at its start."""
    done = subprocess.run([ADDTOCRM, command], env=server.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    return line


def at_port_of(server: Server, other: Server, host: str = "127.0.0.1") -> Server:
    other.environment |= {"ADDTOCRM_PORT": str(server.port), "ADDTOCRM_HOST": host}
    return other


def postmaster_pid(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def is_another(folder: Path, killed: int) -> bool:
    """Whether the database runs anew since its process was killed."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        return postmaster_pid(folder) != killed
    return False


def is_ready(server: Server) -> bool:
    with contextlib.suppress(httpx.TransportError):
        assert server.client().get("/healthz").status_code == 200
        return server.client().get("/readyz").status_code == 200
    return False


def all_well(server: Server, slug: str) -> None:
    """Look-ups and jobs are done, and what was paid is in the cache."""
    server.add_people(slug)
    account = server.account(credits=100)
    assert until(lambda: account.enrich(slug).status_code == 200)
    items = {"items": [f"linkedin.com/in/{slug}"]}
    id = account.client.post("/v1/batch/people-enrich", json=items).json()["data"]["id"]
    until(lambda: account.client.get(f"/v1/jobs/{id}").json()["data"]["status"] == "completed")
    assert account.usage()["credits"]["remaining"] == 99


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_second_server_at_the_port_ends_with_a_sentence(server: Server, new_server: NewServer, host: str) -> None:
    first = server
    second = at_port_of(first, new_server(start=False), host)
    said = refused(second)
    assert str(first.port) in said
    assert "ADDTOCRM_PORT" in said
    account = first.account()
    assert {account.client.get("/v1/usage").status_code for _ in range(30)} == {200}


def test_another_programs_port_is_not_shared(new_server: NewServer) -> None:
    server = new_server(start=False)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", server.port))
        other.listen()
        assert "ADDTOCRM_PORT" in refused(server)
    server.start()


def test_of_two_that_start_at_once_one_serves(new_server: NewServer) -> None:
    one = new_server(start=False)
    other = at_port_of(one, new_server(start=False))
    started = [
        subprocess.Popen([ADDTOCRM, "serve", "--json"], env=server.environment, stdout=subprocess.PIPE)
        for server in (one, other)
    ]
    try:
        until(lambda: any(process.poll() is not None for process in started))
        (ended,) = [process for process in started if process.poll() is not None]
        (lives,) = [process for process in started if process is not ended]
        assert ended.returncode == 1
        assert ended.stdout is not None and lives.stdout is not None
        assert ended.stdout.read() == b""
        assert json.loads(lives.stdout.readline())["url"] == one.url
    finally:
        for process in started:
            process.terminate()
            process.wait(150)


def test_a_folder_has_one_server_and_any_number_of_commands(new_embedded: NewServer, folder: Path) -> None:
    first = new_embedded().start()
    for command in ("serve", "demo"):
        said = refused(new_embedded(), command)
        assert str(folder) in said
        assert first.url in said
        assert "ADDTOCRM_DATA_DIR" in said
    cli("accounts", "create", "beside@example.com", environment=first.environment)
    assert first.process is not None
    first.process.kill()  # Its workers live on for a moment.
    first.process.wait()
    all_well(new_embedded().start(), "after-example")


def test_the_database_is_started_again_whenever_it_is_killed(new_embedded: NewServer, folder: Path) -> None:
    server = new_embedded().start()
    for number in range(3):
        killed = postmaster_pid(folder)
        os.kill(killed, signal.SIGKILL)
        until(lambda killed=killed: is_another(folder, killed) and is_ready(server))
        all_well(server, f"again-{number}-example")


def test_jobs_lose_no_item_when_the_database_is_killed_under_them(new_embedded: NewServer, folder: Path) -> None:
    """Also where a connection dies in the middle of an operation, which the driver has words of its own for."""
    world = WorldBeside()
    world.server(*(f"d{number}.test" for number in range(20)), catch_all=True)
    server = new_embedded(**world.environment).start()
    slugs = [f"killed-{number}-example" for number in range(600)]
    server.add_people(*slugs)
    account = server.account(credits=5_000)
    urls = [{"linkedin_url": f"https://www.linkedin.com/in/{slug}", "refresh": True} for slug in slugs]
    addresses = [f"u{number}@d{number % 20}.test" for number in range(400)]
    try:
        for path, items in (("people-enrich", urls), ("emails-verify", addresses), ("people-enrich", urls)):
            id = account.client.post(f"/v1/batch/{path}", json={"items": items}).json()["data"]["id"]

            def figures(id: str = id) -> dict[str, Any]:
                with contextlib.suppress(httpx.TransportError):
                    answer = account.client.get(f"/v1/jobs/{id}")
                    if answer.status_code == 200:
                        return answer.json()["data"]
                return {"status": "unknown", "succeeded": 0}

            until(lambda: figures()["succeeded"])
            os.kill(postmaster_pid(folder), signal.SIGKILL)
            until(lambda: figures()["status"] == "completed", 120)
            assert (figures()["succeeded"], figures()["failed"]) == (len(items), 0)
            until(lambda: account.usage()["credits"]["held"] == 0)
        said = server.log.read_text()
        assert not any(f'"event":"{one}"' in said for one in ("process_ended", "job_item_failed", "job_stumbled"))
    finally:
        server.kill()
        world.close()


def test_a_killed_session_does_no_harm(new_embedded: NewServer, folder: Path) -> None:
    """As the kernel's killer of processes does: PostgreSQL ends all sessions and begins anew by itself."""
    server = new_embedded().start()
    sessions = [
        row["pid"]
        for row in server.query(
            """select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()
               order by backend_start"""
        )
    ]
    os.kill(sessions[0], signal.SIGKILL)
    until(lambda: not any(map(psutil.pid_exists, sessions)))
    until(lambda: is_ready(server))
    all_well(server, "session-example")


def test_a_session_that_outlives_its_server_is_no_hindrance(new_embedded: NewServer, folder: Path) -> None:
    server = new_embedded().start()
    busy = "select count(*) from generate_series(1, 100000000000) n"
    with subprocess.Popen([postmaster.binaries() / "psql", server.database_url, "-c", busy]) as session:
        running = "select pid from pg_stat_activity where query = $1"
        until(lambda: server.query(running, busy))
        killed = postmaster_pid(folder)
        os.kill(killed, signal.SIGKILL)
        session.wait(300)
    until(lambda: is_another(folder, killed) and is_ready(server))
    all_well(server, "outlived-example")


def test_while_the_database_does_not_start_all_say_so(new_embedded: NewServer, folder: Path, tmp_path: Path) -> None:
    server = new_embedded().start()
    assert all(one["ok"] for one in cli("doctor", environment=server.environment))
    elsewhere = {**server.environment, "ADDTOCRM_PORT": "1"}
    assert cli("doctor", environment=elsewhere)[0] == {"check": "server", "ok": True, "found": f"ready at {server.url}"}

    control = folder / "postgres" / "global" / "pg_control"

    def stopped_while_it_tries() -> bool:
        """It ends after some tries, which may be before a busy machine has looked."""
        control.rename(tmp_path / "pg_control")
        tried = server.log.read_text().count("database_start_failed")
        os.kill(postmaster_pid(folder), signal.SIGKILL)
        until(lambda: server.log.read_text().count("database_start_failed") > tried)
        assert not is_ready(server) and server.process is not None
        os.kill(server.process.pid, signal.SIGSTOP)
        if server.process.poll() is None:
            return True
        (tmp_path / "pg_control").rename(control)
        server.start()
        return False

    until(stopped_while_it_tries, 300)
    assert server.process is not None
    done = subprocess.run([ADDTOCRM, "doctor", "--json"], env=server.environment, capture_output=True, timeout=60)
    (tmp_path / "pg_control").rename(control)
    os.kill(server.process.pid, signal.SIGCONT)
    assert done.returncode == 1
    found = {one["check"]: one["ok"] for one in json.loads(done.stdout)}
    assert (found["server"], found["database"]) == (False, False)
    until(lambda: is_ready(server), 60)
    assert cli("doctor", environment=server.environment)

    control.rename(tmp_path / "pg_control")
    os.kill(postmaster_pid(folder), signal.SIGKILL)
    assert server.process.wait(90) == 1
    last = server.log.read_text().splitlines()[-1]
    assert last.startswith("addtocrm: The embedded PostgreSQL did not start")
    (tmp_path / "pg_control").rename(control)


def test_doctor_says_what_it_could_not_check(new_embedded: NewServer, folder: Path) -> None:
    server = new_embedded()
    found: Any = {one["check"]: one["ok"] for one in cli("doctor", environment=server.environment)}
    assert (found["server"], found["data folder"], found["database"]) == (True, None, None)
    assert not folder.exists()


def test_doctor_knows_another_program(new_server: NewServer) -> None:
    server = new_server(start=False)
    command = ["python3", "-m", "http.server", str(server.port), "--bind", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as other:
        until(lambda: socket.socket().connect_ex(("127.0.0.1", server.port)) == 0)

        def is_known() -> bool:
            command = [ADDTOCRM, "doctor", "--json"]
            done = subprocess.run(command, env=server.environment, capture_output=True, timeout=60)
            assert done.returncode == 1
            return "another program" in json.loads(done.stdout)[0]["found"]

        until(is_known)
        other.terminate()


def test_an_own_database_that_is_away_is_waited_for(new_server: NewServer, folder: Path) -> None:
    with attach(folder) as attachment:
        migrate(attachment.url)
        server = new_server(attachment.url)
        os.kill(postmaster_pid(folder), signal.SIGKILL)
        until(lambda: not is_ready(server))
        time.sleep(2)
        assert server.client().get("/healthz").status_code == 200
        attach(folder).detach()
        until(lambda: is_ready(server), 60)
        all_well(server, "waited-example")
