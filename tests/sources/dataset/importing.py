"""An operator's imports, as commands."""

import csv
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from harness import ADDTOCRM, with_pool


def environment_of(database_url: str, folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ADDTOCRM_")}
    return {**kept, "ADDTOCRM_DATABASE_URL": database_url, "ADDTOCRM_DATA_DIR": str(folder)}


def attempt(file: Path, environment: dict[str, str], kind: str = "people") -> "subprocess.CompletedProcess[str]":
    """One run of the command, however it ends; never with a traceback."""
    command: list[str | Path] = [ADDTOCRM, "import", kind, file, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
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
