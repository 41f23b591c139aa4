"""An AddToCRM on a fresh embedded database, to be measured."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from addtocrm.core.db.embedded import attach

BIN = Path(sys.executable).parent
CACHED = '{"linkedin_url": "https://www.linkedin.com/in/b1-example"}'
FRESH = '{"linkedin_url": "https://www.linkedin.com/in/b%d-example"}'


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


PORT, THEIR_PORT = free_port(), free_port()


def output(*command: Any, **environment: str) -> str:
    """What a command prints; an AssertionError where it fails."""
    done = subprocess.run(
        [str(part) for part in command], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, (command, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def load(port: int, requests: int, connections: int, token: str, body: str) -> float:
    """Enrichments a second."""
    arguments = ("/v1/people/enrich", port, requests, connections, token, body)
    return float(output(sys.executable, "-m", "bench.load", *arguments))


@contextmanager
def process(*command: Any, port: int, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A server that listens on `port`; its log goes to a file, as an operator's would."""
    with tempfile.TemporaryFile() as log:
        started = subprocess.Popen(
            [str(part) for part in command],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            while not is_open(port):
                assert started.poll() is None, os.pread(log.fileno(), 5000, 0).decode()
                time.sleep(0.05)
            time.sleep(1.5)
            yield started
        finally:
            started.terminate()
            started.wait()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def granian(app: str, **environment: str) -> Any:
    """One of the contestants on the server that AddToCRM uses, at THEIR_PORT."""
    options = ("--interface", "asgi", "--port", THEIR_PORT, "--no-ws", "--http", "1")
    return process(BIN / "granian", *options, app, port=THEIR_PORT, **environment)


class Deployment:
    """People, a Pro account with a key of all scopes, and the means to ask and to fill.

    `token` is the key; `account_id` its account.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.attachment = attach(folder)
        self.url = self.attachment.url
        self.environment = {
            "ADDTOCRM_DATA_DIR": str(folder),
            "ADDTOCRM_PORT": str(PORT),
            "ADDTOCRM_RATE_PER_MINUTE": "100000000",
            "ADDTOCRM_RATE_PER_HOUR": "1000000000",
        }
        self.account_id, self.token = self.account("bench@example.com")
        self.sql(
            """insert into people (id, identity, data)
               select 'per_' || n, 'in:b' || n || '-example', json_build_object(
                   'linkedin_url', 'https://www.linkedin.com/in/b' || n || '-example', 'full_name', 'B ' || n,
                   'email', 'b' || n || '@example.com', 'job_title', 'Engineer', 'skills', json_build_array('a', 'b'))
               from generate_series(1, 30000) n"""
        )

    def account(self, email: str) -> tuple[str, str]:
        """A new Pro account: (its id, the token of a key)."""
        self.cli("accounts", "create", email, "--plan", "pro", "--credits", "10000000")
        token = self.cli("keys", "create", email, "--scopes", "enrich,write,lists,read")["key"]
        return self.sql("select id from accounts where email = $1", email), token

    def cli(self, *arguments: str) -> Any:
        """The document that `addtocrm … --json` prints."""
        return json.loads(output(BIN / "addtocrm", *arguments, "--json", **self.environment))

    def sql(self, statement: str, *values: Any) -> Any:
        """The first value that a statement gives."""

        async def run() -> Any:
            connection = await asyncpg.connect(self.url)
            try:
                return await connection.fetchval(statement, *values)
            finally:
                await connection.close()

        return asyncio.run(run())

    def serve(self, **environment: str) -> Any:
        """`addtocrm serve` at PORT, as a context."""
        return process(BIN / "addtocrm", "serve", port=PORT, **{**self.environment, **environment})

    def call(self, path: str, body: str | None = None, token: str | None = None) -> str:
        """The body that the running server answers: to a GET, or to a POST of `body`."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{PORT}{path}",
            body.encode() if body else None,
            {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            return response.read().decode()

    def cached(self) -> float:
        """Cached enrichments a second."""
        return load(PORT, 20_000, 32, self.token, CACHED)

    def job(self, kind: str, items: list[Any], token: str | None = None) -> float:
        """Seconds that a batch took, all of whose items succeeded."""
        began = time.perf_counter()
        job = json.loads(self.call(f"/v1/batch/{kind}", json.dumps({"items": items}), token))["data"]
        while job["status"] in ("queued", "running"):
            time.sleep(0.1)
            job = json.loads(self.call(f"/v1/jobs/{job['id']}", token=token))["data"]
        assert job["credits_deducted"] == len(items), job
        return time.perf_counter() - began


def child(server: "subprocess.Popen[bytes]", kind: str) -> int:
    """The id of the `worker` or `jobs` process of a server."""
    for child in output("pgrep", "-P", str(server.pid)).split():
        if kind in Path(f"/proc/{child}/cmdline").read_text():
            return int(child)
    raise AssertionError(f"no {kind} process")


def process_memory(server: "subprocess.Popen[bytes]", kind: str, figure: str) -> float:
    """Megabytes of the `worker` or `jobs` process of a server; `figure` is VmRSS, or VmHWM for the most so far."""
    status = Path(f"/proc/{child(server, kind)}/status").read_text()
    return int(status.split(f"{figure}:")[1].split()[0]) / 1024
