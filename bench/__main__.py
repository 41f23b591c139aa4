"""Runs the figures and writes them to bench/RESULTS.md: contestants alternate, medians of the pairs' ratios count."""

import asyncio
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from addtocrm.db import embedded
from addtocrm.db.embedded import attach, binaries
from bench import mail

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
ROUNDS = 5
CACHED = '{"linkedin_url": "https://www.linkedin.com/in/b1-example"}'
FRESH = '{"linkedin_url": "https://www.linkedin.com/in/b%d-example"}'


def output(*command: Any, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def load(port: int, requests: int, connections: int, token: str, body: str) -> float:
    arguments = ("/v1/people/enrich", port, requests, connections, token, body)
    return float(output(sys.executable, "-m", "bench.load", *arguments))


def ratios(ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, float, float]:
    """(ours, theirs, ratio) as medians of ROUNDS alternating rounds after a warm-up."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(ROUNDS)]
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


@contextmanager
def process(*command: Any, port: int, **environment: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A server that listens on `port`."""
    import socket

    started = subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(400):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        time.sleep(1.5)
        yield started
    finally:
        started.terminate()
        started.wait()


class Bench:
    """An AddToCRM with people, an account and a key, for the figures that need one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.attachment = attach(folder)
        self.url = self.attachment.url
        self.environment = {
            "ADDTOCRM_DATA_DIR": str(folder),
            "ADDTOCRM_PORT": "8911",
            "ADDTOCRM_RATE_PER_MINUTE": "100000000",
            "ADDTOCRM_RATE_PER_HOUR": "1000000000",
        }
        self.cli("accounts", "create", "bench@example.com", "--plan", "pro", "--credits", "10000000")
        self.token = self.cli("keys", "create", "bench@example.com", "--scopes", "enrich")["key"]
        self.sql(
            """insert into people (id, identity, data)
               select 'per_' || n, 'in:b' || n || '-example', json_build_object(
                   'linkedin_url', 'https://www.linkedin.com/in/b' || n || '-example', 'full_name', 'B ' || n,
                   'email', 'b' || n || '@example.com', 'job_title', 'Engineer', 'skills', json_build_array('a', 'b'))
               from generate_series(1, 30000) n"""
        )

    def cli(self, *arguments: str) -> Any:
        return json.loads(output(BIN / "addtocrm", *arguments, "--json", **self.environment))

    def sql(self, statement: str) -> Any:
        async def run() -> Any:
            connection = await asyncpg.connect(self.url)
            try:
                return await connection.fetchval(statement)
            finally:
                await connection.close()

        return asyncio.run(run())

    def serve(self) -> Any:
        return process(BIN / "addtocrm", "serve", port=8911, **self.environment)

    def cached(self) -> float:
        return load(8911, 20_000, 32, self.token, CACHED)

    def call(self, path: str, body: str | None = None) -> str:
        request = urllib.request.Request(
            f"http://127.0.0.1:8911{path}",
            body.encode() if body else None,
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            return response.read().decode()

    def answer(self) -> str:
        return self.call("/v1/people/enrich", CACHED)

    def job(self, kind: str, items: list[str]) -> float:
        """Seconds that a batch took, all of whose items succeeded."""
        began = time.perf_counter()
        job = json.loads(self.call(f"/v1/batch/{kind}", json.dumps({"items": items})))["data"]
        while job["status"] in ("queued", "running"):
            time.sleep(0.1)
            job = json.loads(self.call(f"/v1/jobs/{job['id']}"))["data"]
        assert job["credits_deducted"] == len(items), job
        return time.perf_counter() - began


def p1(bench: Bench) -> tuple[str, float, float, float, str]:
    with bench.serve(), process(
        BIN / "granian", "--interface", "asgi", "--port", 8912, "--no-ws", "--http", "1", "bench.bare:app",
        port=8912, BENCH_ANSWER=bench.answer(),
    ):  # fmt: skip
        found = ratios(bench.cached, lambda: load(8912, 20_000, 32, "x", CACHED))
    return ("P1 cached enrichment against a bare Litestar handler", *found, "≥ 0.70")


def p2(bench: Bench) -> tuple[str, float, float, float, str]:
    own = bench.url.replace("postgresql://", "postgresql+asyncpg://")
    with bench.serve():
        bench.answer()
        with process(
            BIN / "uvicorn", "bench.plain:app", "--port", 8913, "--log-level", "warning", "--loop", "uvloop",
            port=8913, BENCH_DATABASE_URL=own,
        ):  # fmt: skip
            found = ratios(bench.cached, lambda: load(8913, 2_000, 32, bench.token, CACHED))
    return ("P2 the same against FastAPI + SQLAlchemy + slowapi", *found, "≥ 10")


def p3(bench: Bench) -> tuple[str, float, float, float, str]:
    def fresh() -> float:
        bench.sql("delete from results")
        return load(8911, 5_000, 16, bench.token, FRESH)

    with bench.serve():
        found = ratios(fresh, lambda: float(output(sys.executable, "-m", "bench.minimal", bench.url, 5_000, 16)))
    return ("P3 fresh enrichment against asyncpg's least transaction", *found, "≥ 0.50")


def p4(bench: Bench, rows: int = 1_000_000) -> tuple[str, float, float, float, str]:
    file = bench.folder / "million.csv"
    with file.open("w") as opened:
        opened.write("linkedin_url,first_name,last_name,email,job_title,city,country,company_name,company_domain\n")
        for n in range(rows):
            opened.write(
                f"https://www.linkedin.com/in/m{n}-example,First{n % 997},Last{n},m{n}@m{n % 9973}.example.com,CEO,"
                f"Berlin,Germany,Company {n % 9973},m{n % 9973}.example.com\n"
            )
    bench.sql("truncate people")
    ours = rows / bench.cli("import", "people", str(file))["seconds"]
    dump = bench.folder / "people.copy"

    async def copy() -> float:
        connection = await asyncpg.connect(bench.url)
        await connection.copy_from_query("select * from people", output=dump)
        await connection.execute("create table people_copy (like people including all)")
        began = time.perf_counter()
        await connection.copy_to_table("people_copy", source=dump)
        seconds = time.perf_counter() - began
        await connection.execute("drop table people_copy")
        await connection.close()
        return rows / seconds

    theirs = asyncio.run(copy())
    return (f"P4 import of {rows:,} people against COPY of the same rows", ours, theirs, ours / theirs, "≥ 0.35")


def p8(_: Bench) -> tuple[str, float, float, float, str]:
    def first_start() -> float:
        folder = Path(tempfile.mkdtemp(prefix="addtocrm-p8-"))
        began = time.perf_counter()
        attachment = attach(folder)
        seconds = time.perf_counter() - began
        attachment.detach()
        shutil.rmtree(folder)
        return seconds

    def initdb() -> float:
        folder = Path(tempfile.mkdtemp(prefix="addtocrm-p8-"))
        owner = embedded._owner()
        if owner:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        began = time.perf_counter()
        embedded._run(binaries() / "initdb", "-D", folder / "data", "-U", "postgres", "--auth=trust")
        seconds = time.perf_counter() - began
        shutil.rmtree(folder)
        return seconds

    return ("P8 first start against initdb (seconds)", *ratios(first_start, initdb), "≤ 3")


def memory(bench: Bench) -> tuple[str, float, float, float, str]:
    with bench.serve() as server:
        worker, jobs = process_memory(server, "worker", "VmRSS"), process_memory(server, "jobs", "VmRSS")
    return ("memory of one idle worker (MB), and of the jobs process", worker, jobs, 0, "≤ 120 MB")


def p6(bench: Bench) -> tuple[str, float, float, float, str]:
    addresses = [f"p{n // mail.HOSTS}@h{n % mail.HOSTS}.test" for n in range(10_000)]
    settings = {
        "ADDTOCRM_DNS_SERVERS": f"127.0.0.1:{mail.DNS_PORT}",
        "ADDTOCRM_SMTP_PORT": str(mail.SMTP_PORT),
        "ADDTOCRM_SMTP_HELO": "bench.test",
        "ADDTOCRM_ALLOW_PRIVATE_NETWORKS": "true",
    }
    bench.environment.update(settings)
    with (
        process(sys.executable, "-m", "bench.mail", port=mail.DNS_PORT),
        bench.serve() as server,
    ):
        bench.job("emails-verify", ["p-warm@h0.test"])
        few = bench.job("emails-verify", addresses[:2_000])
        before = process_memory(server, "jobs", "VmHWM")
        bench.job("emails-verify", addresses[2_000:])
        after = process_memory(server, "jobs", "VmHWM")
    ideal = mail.ideal(2_000)
    return (
        f"P6 2,000 addresses over {mail.HOSTS} hosts against the ideal schedule (seconds); "
        f"jobs process {before:.0f} MB, and {after:.0f} MB after 8,000 more",
        few, ideal, few / ideal, "≤ 1.3",
    )  # fmt: skip


def process_memory(server: "subprocess.Popen[bytes]", kind: str, figure: str) -> float:
    """Megabytes of the `worker` or `jobs` process of a server."""
    for child in output("pgrep", "-P", str(server.pid)).split():
        if ("jobs.process" in Path(f"/proc/{child}/cmdline").read_text()) == (kind == "jobs"):
            status = Path(f"/proc/{child}/status").read_text()
            return int(status.split(f"{figure}:")[1].split()[0]) / 1024
    raise AssertionError(f"no {kind} process")


FIGURES = {"P1": p1, "P2": p2, "P3": p3, "P4": p4, "P6": p6, "P8": p8, "memory": memory}


def main(chosen: list[str]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="addtocrm-bench-"))
    bench = Bench(folder)
    try:
        rows = []
        for name in chosen:
            rows.append(FIGURES[name](bench))
            print(rows[-1], flush=True)
    finally:
        bench.attachment.detach()
        shutil.rmtree(folder, ignore_errors=True)
    lines = [
        "# Measured speed",
        "",
        f"`make bench` on {os.cpu_count()} cores, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}; "
        f"medians of {ROUNDS} alternating rounds (P4: one). Requests or rows a second unless said otherwise.",
        "",
        "| figure | AddToCRM | against | ratio | goal |",
        "|---|---:|---:|---:|---|",
        *(f"| {name} | {a:,.2f} | {b:,.2f} | {f'{c:.2f}' if c else ''} | {goal} |" for name, a, b, c, goal in rows),
        "",
    ]
    (HERE / "RESULTS.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:] or list(FIGURES))
