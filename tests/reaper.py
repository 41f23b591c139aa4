"""Ends what a test run leaves behind: `python reaper.py FOLDER` waits until its standard input ends, as it does when
the run ends or is killed, then ends every process of the run and removes its folder.

A process is of the run when the folder stands in its environment (TMPDIR), its command line, or is where it works.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

SECONDS = 30.0


def processes(folder: Path) -> dict[int, str]:
    """The other living processes of a run: their commands by their ids."""
    mark = os.fsencode(folder)
    found: dict[int, str] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            # Zombies and the kernel's own have no command.
            if command and int(process.name) not in (os.getpid(), os.getppid()):
                place = os.fsencode((process / "cwd").readlink())
                if mark in command or mark in (process / "environ").read_bytes() or place.startswith(mark):
                    found[int(process.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
    return found


def end(folder: Path) -> None:
    """Ends all processes of the run, those too that are begun meanwhile, and removes the folder."""
    deadline = time.monotonic() + SECONDS
    while (left := processes(folder)) and time.monotonic() < deadline:
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    sys.stdin.buffer.read()
    end(folder)
