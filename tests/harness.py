"""A real server on a real PostgreSQL, and an operator's hands on it."""

import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx2 as httpx

from addtocrm.cli.children import Name, title
from addtocrm.core import settings as settings_module
from addtocrm.core.db.pool import Pool, open_pool
from addtocrm.crm import connections
from addtocrm.crm.setup import opened
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.keys import service as keys

T = TypeVar("T")
ADDTOCRM = str(Path(sys.executable).with_name("addtocrm"))
ALL_SCOPES = ["enrich", "write", "lists", "read"]
NUMBERS = itertools.count(1)
PORTS = (10_000, 32_000)
OURS: deque[socket.socket] = deque(maxlen=200)
"""What says to the other test processes of the machine that a port is taken, also before it is listened on."""


def free_port(ip: str = "127.0.0.1") -> int:
    """A port that nobody else is given until it is listened on: none that connections go out from."""
    while True:
        port = random.SystemRandom().randrange(*PORTS)
        mark = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe, contextlib.suppress(OSError):
            mark.bind(f"\0addtocrm-tests-{port}")
            probe.bind((ip, port))
            OURS.append(mark)
            return port
        mark.close()


def with_pool(url: str, work: Callable[[Pool], Awaitable[T]]) -> T:
    async def run() -> T:
        pool = await open_pool(url, size=4)
        try:
            return await work(pool)
        finally:
            await pool.close()

    return asyncio.run(run())


class Account:
    """An account with one key, and a client that uses it."""

    def __init__(self, server: "Server", email: str, id: str, token: str, key_id: str) -> None:
        self.server, self.email, self.id, self.token, self.key_id = server, email, id, token, key_id
        self.client = server.client(token)

    def connect_builtin(self) -> None:
        """Connects the built-in CRM."""
        settings = settings_module.load(self.server.environment)

        async def connect() -> None:
            async with opened(self.server.database_url, settings) as crm:
                await connections.connect(crm, self.id, "builtin")

        asyncio.run(connect())

    def set_credits(self, credits: int) -> None:
        with_pool(self.server.database_url, lambda pool: accounts.set_credits(pool, self.email, credits))

    def set_plan(self, plan: Any) -> None:
        with_pool(self.server.database_url, lambda pool: accounts.set_plan(pool, self.email, plan))

    def key(self, scopes: list[str], **rates: int) -> str:
        made = with_pool(self.server.database_url, lambda pool: keys.create(pool, self.email, scopes, **rates))
        return made.key

    def revoke(self, key_id: str | None = None) -> None:
        with_pool(self.server.database_url, lambda pool: keys.revoke(pool, key_id or self.key_id))

    def enrich(self, slug: str, **more: Any) -> httpx.Response:
        url = f"https://www.linkedin.com/in/{slug}"
        return self.client.post("/v1/people/enrich", json={"linkedin_url": url, **more})

    def usage(self) -> dict[str, Any]:
        return self.client.get("/v1/usage").json()["data"]

    def events(self) -> list[dict[str, Any]]:
        """The whole feed, page by page, once all that was committed is in it: who reads waits only so long for others
        who publish."""
        waiting = "select from events_outbox where account_id = $1"
        until(lambda: self.client.get("/v1/events?limit=1") and not self.server.query(waiting, self.id))
        events: list[dict[str, Any]] = []
        cursor = None
        while True:
            params = {"limit": 1000, **({"cursor": cursor} if cursor else {})}
            page = self.client.get("/v1/events", params=params).json()
            if not page["data"]:
                return events
            events += page["data"]
            cursor = page["next_cursor"]


class Server:
    """`addtocrm serve` as a process of its own."""

    def __init__(self, database_url: str, folder: Path, **environment: str) -> None:
        self.database_url = database_url
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"server-{self.port}.log"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ADDTOCRM_")},
            "ADDTOCRM_DATABASE_URL": database_url,
            "ADDTOCRM_DATA_DIR": str(folder),
            "ADDTOCRM_PORT": str(self.port),
            "ADDTOCRM_RATE_PER_MINUTE": "100000",
            "ADDTOCRM_RATE_PER_HOUR": "1000000",
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Server":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [ADDTOCRM, "serve", "--json"],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()[-3000:]
        assert json.loads(line)["url"] == self.url
        return self

    def kill(self) -> None:
        """SIGKILL to the server and all its processes: nothing gets to say goodbye."""
        if self.process and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=150)

    def client(self, token: str | None = None, **more: Any) -> httpx.Client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120, trust_env=False, **more)

    def async_client(self, token: str | None = None, connections: int = 100) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=120, limits=limits, trust_env=False)

    def account(
        self, *, credits: int | None = None, scopes: list[str] | None = None, plan: Any = "pro", **rates: int
    ) -> Account:
        """A new account and key of it."""
        email = f"user{next(NUMBERS)}-{self.port}@example.com"

        async def make(pool: Pool) -> Account:
            account = await accounts.create(pool, email, "pro", credits)
            key = await keys.create(pool, email, scopes or ALL_SCOPES, **rates)
            if plan != "pro":
                await accounts.set_plan(pool, email, plan)
            return Account(self, email, account.id, key.key, key.id)

        return with_pool(self.database_url, make)

    def add_people(self, *slugs: str) -> None:
        """People known by their LinkedIn URL."""

        async def insert(pool: Pool) -> None:
            rows = [
                (
                    f"per_{slug}",
                    f"in:{slug}",
                    json.dumps(
                        {
                            "linkedin_url": f"https://www.linkedin.com/in/{slug}",
                            "full_name": f"Test {slug}",
                            "first_name": "Test",
                            "last_name": slug,
                        }
                    ),
                )
                for slug in slugs
            ]
            await pool.executemany(
                "insert into people (id, identity, data) values ($1, $2, $3) on conflict do nothing", rows
            )

        with_pool(self.database_url, insert)

    def query(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        return with_pool(self.database_url, lambda pool: pool.fetch(sql, *values))


def cli(*arguments: str, environment: dict[str, str], input: str | None = None) -> Any:
    """Runs the command line with --json; gives its document."""
    done = subprocess.run(
        [ADDTOCRM, *arguments, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        input=input,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def each(commands: list[list[str]], environment: dict[str, str]) -> list[tuple[int, str, str]]:
    """Runs the command line with each list of arguments, all in one process; gives exit code, standard output and
    standard error of each."""
    done = subprocess.run(
        [sys.executable, Path(__file__).parent / "cli" / "each.py"],
        env=environment,
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        timeout=300,
        cwd=environment["ADDTOCRM_DATA_DIR"],
    )
    assert done.returncode == 0, done.stderr
    return [(code, out, err) for code, out, err in json.loads(done.stdout)]


def until(condition: Callable[[], T], seconds: float = 90) -> T:
    """The first truthy value of `condition`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def early_in_a_minute() -> None:
    """Waits for the next minute, where what is to be in one may not be done in what is left of this one."""
    if time.time() % 60 > 25:
        time.sleep(60.1 - time.time() % 60)


@contextlib.contextmanager
def stopped(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.kill()


def child_process(server: Server, name: Name) -> int | None:
    """The process id of a child of the server, while it lives."""
    assert server.process is not None
    children: list[str] = []
    for thread in Path(f"/proc/{server.process.pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            children += thread.read_text().split()
    for child in children:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{child}/cmdline").read_text().startswith(title(name)):
                return int(child)
    return None


def jobs_process(server: Server) -> int:
    """The process id of the server's jobs process, which may begin anew just now."""
    return until(lambda: child_process(server, "jobs"))
