"""Nothing of a test run outlives it, whatever becomes of it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
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


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short name, so that the socket of a PostgreSQL far below it has one that is short enough."""
    made = Path(tempfile.mkdtemp(prefix="n"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def run(folder: Path, then: str, before: str = "") -> "subprocess.Popen[str]":
    """A run of one test, which has begun a PostgreSQL and another process when it goes on to `then`."""
    file = folder / "test_it.py"
    file.write_text(TEST.format(before=before, then=then))
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", "-n", "1", file],
        cwd=HERE.parent,
        env={**os.environ, "PYTHONPATH": str(HERE), "TMPDIR": str(folder), "ADDTOCRM_TESTS_LEAVE_SECONDS": "5"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def run_folder(folder: Path) -> Path:
    return next(folder.glob("addtocrm-*"))


def nothing_is_left(folder: Path, made: Path) -> None:
    until(lambda: not made.exists() and not reaper.processes(made))
    assert not list(folder.glob("addtocrm-*"))


def test_a_process_that_is_left_fails_the_run_and_is_ended(place: Path) -> None:
    process = run(place, "pass")
    made = until(lambda: next(place.glob("addtocrm-*"), None))
    said, _ = process.communicate(timeout=400)
    assert process.returncode == 1 and "1 passed" in said and "left processes behind" in said
    nothing_is_left(place, made)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_is_left_by_a_run_that_is_ended(place: Path, number: int) -> None:
    process = run(place, "time.sleep(1000)")
    until((place / "under_way").exists, 400)
    made = run_folder(place)
    assert any("postgres" in command for command in reaper.processes(made).values())
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as Ctrl-C at a terminal
    else:
        process.kill()
    process.communicate(timeout=400)
    nothing_is_left(place, made)


def test_nothing_is_left_by_a_worker_that_is_killed(place: Path) -> None:
    process = run(place, "os.kill(os.getpid(), 9)", "import os")
    until((place / "under_way").exists, 400)
    made = run_folder(place)
    process.communicate(timeout=400)
    assert process.returncode != 0
    nothing_is_left(place, made)
