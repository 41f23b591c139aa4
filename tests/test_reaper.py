"""Nothing of a test run outlives it, whatever becomes of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import reaper
from harness import until

HERE = Path(__file__).parent
TEST = """
import subprocess, sys, time
from pathlib import Path

def test_it(postgres):
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
    {before}
    (Path(__file__).parent / "under_way").touch()
    {then}
"""


def run(folder: Path, then: str, before: str = "") -> "subprocess.Popen[str]":
    """A run of one test, which has begun a PostgreSQL and another process when it goes on to `then`."""
    file = folder / "test_it.py"
    file.write_text(TEST.format(before=before, then=then))
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-n", "1", file],
        cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": str(HERE), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run_folder(folder: Path) -> Path:
    return next(folder.glob("addtocrm-run-*"))


def nothing_is_left(folder: Path, made: Path) -> None:
    until(lambda: not made.exists() and not reaper.processes(made))
    assert not list(folder.glob("addtocrm-*"))


def test_a_process_that_is_left_fails_the_run_and_is_ended(tmp_path: Path) -> None:
    process = run(tmp_path, "pass")
    made = until(lambda: next(tmp_path.glob("addtocrm-run-*"), None))
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1 and "1 passed" in said and "left processes behind" in said
    nothing_is_left(tmp_path, made)


def test_a_run_that_leaves_nothing_passes(tmp_path: Path) -> None:
    process = run(tmp_path, "left.kill(); left.wait()")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert not list(tmp_path.glob("addtocrm-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_by_a_run_that_is_ended(tmp_path: Path, number: int) -> None:
    process = run(tmp_path, "time.sleep(1000)")
    until((tmp_path / "under_way").exists, 120)
    made = run_folder(tmp_path)
    assert any("postgres" in command for command in reaper.processes(made).values())
    process.send_signal(number)
    process.communicate(timeout=120)
    nothing_is_left(tmp_path, made)


def test_nothing_is_left_by_a_worker_that_is_killed(tmp_path: Path) -> None:
    process = run(tmp_path, "os.kill(os.getpid(), 9)", "import os")
    until((tmp_path / "under_way").exists, 120)
    made = run_folder(tmp_path)
    process.communicate(timeout=200)
    assert process.returncode != 0
    nothing_is_left(tmp_path, made)
