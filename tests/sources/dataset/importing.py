"""An operator's imports, as commands."""

import asyncio
import csv
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import ADDTOCRM, until, with_pool

from addtocrm.core.db.pool import Pool

MERGE_LOCK = (1096041288, 0)
"""Taken for each chunk: who has it holds all imports up."""


def environment_of(database_url: str, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ADDTOCRM_")}
    return {**kept, "ADDTOCRM_DATABASE_URL": database_url, "ADDTOCRM_DATA_DIR": str(folder)}


def attempt(file: Path, environment: dict[str, str], kind: str = "people") -> "subprocess.CompletedProcess[str]":
    """One run of the command, however it ends; never with a traceback."""
    command: list[str | Path] = [ADDTOCRM, "import", kind, file, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, 1), done.stderr
    return done


def refusal(file: Path, environment: dict[str, str]) -> str:
    """The sentence with which the file is refused."""
    done = attempt(file, environment)
    assert done.returncode == 1, done.stdout
    return " ".join(done.stderr.split())


def imported(file: Path, environment: dict[str, str], kind: str = "people") -> tuple[dict[str, Any], dict[int, str]]:
    """The result, and the reason for each refused line."""
    done = attempt(file, environment, kind)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    if not result["rejected_file"]:
        return result, {}
    with Path(result["rejected_file"]).open(newline="", encoding="utf-8") as opened:
        return result, {int(row["line"]): row["reason"] for row in csv.DictReader(opened)}


def people(url: str) -> dict[str, dict[str, Any]]:
    rows = with_pool(url, lambda pool: pool.fetch("select identity, data from people"))
    return {row["identity"]: json.loads(row["data"]) for row in rows}


def begin(file: Path, environment: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [ADDTOCRM, "import", "people", str(file), "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def held_up(url: str, work: Callable[[], Any]) -> Any:
    """Does `work` while no chunk can be merged."""

    async def run(pool: Pool) -> Any:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("select pg_advisory_xact_lock($1, $2)", *MERGE_LOCK)
            return await asyncio.to_thread(work)

    return with_pool(url, run)


def killed_after_a_chunk(file: Path, environment: dict[str, str], url: str) -> None:
    """Imports the file until its first chunk is merged and the next one waits for its turn, and kills that."""

    async def run(pool: Pool) -> None:
        merging = "select pg_advisory_lock($1, $2)"
        async with pool.acquire() as before, pool.acquire() as after:
            await before.execute(merging, *MERGE_LOCK)
            first = await asyncio.to_thread(begin, file, environment)
            await asyncio.to_thread(until, lambda: waiting(url) == 1)
            next_turn = asyncio.create_task(after.execute(merging, *MERGE_LOCK))
            await asyncio.to_thread(until, lambda: waiting(url) == 2)
            await before.execute("select pg_advisory_unlock($1, $2)", *MERGE_LOCK)
            await next_turn
            first.kill()
            await asyncio.to_thread(first.communicate)

    with_pool(url, run)


def waiting(url: str) -> int:
    """How many imports are held up."""
    return with_pool(
        url,
        lambda pool: pool.fetchval(
            "select count(*) from pg_locks where not granted and locktype = 'advisory' and classid = $1", MERGE_LOCK[0]
        ),
    )
