"""What commands write goes where it was meant to go, whoever planted what beside it."""

import fcntl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import ADDTOCRM, Server, each

COMMANDS = {
    "crm export": (["crm", "export", "ann@example.com", "out.csv"], "out.csv"),
    "verify": (["verify", "people.csv"], "people.verified.csv"),
    "import": (["import", "people", "people.csv"], "people.csv.rejected.csv"),
    "db backup": (["db", "backup", "out.dump"], "out.dump"),
}


@pytest.fixture
def server(new_server: Callable[..., Server], tmp_path: Path) -> Server:
    server = new_server(start=False)
    setup = [["accounts", "create", "ann@example.com"], ["crm", "connect", "ann@example.com", "builtin"]]
    assert [code for code, _, _ in each(setup, server.environment)] == [0, 0]
    (tmp_path / "people.csv").write_text("linkedin_url,email\nno address,\n")
    return server


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_writes_through_a_planted_link(server: Server, tmp_path: Path, command: str) -> None:
    arguments, name = COMMANDS[command]
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    for planted in (name, f"{name}.part"):
        (tmp_path / planted).symlink_to(victim)
    done = subprocess.run(
        [ADDTOCRM, *arguments], env=server.environment, cwd=tmp_path, capture_output=True, text=True, timeout=400
    )
    assert victim.read_text() == "mine\n"
    assert "Traceback" not in done.stderr
    (tmp_path / name).unlink(missing_ok=True)
    subprocess.run([ADDTOCRM, *arguments], env=server.environment, cwd=tmp_path, capture_output=True, timeout=400)
    assert victim.read_text() == "mine\n"
    made = tmp_path / name
    assert made.is_file() and not made.is_symlink()
    assert made.stat().st_mode & 0o077 == 0


def test_what_a_killed_command_left_is_removed_by_the_next(server: Server, tmp_path: Path) -> None:
    left, under_way, foreign, link = (
        tmp_path / f"people.verified.csv.{name}.part" for name in ("abcdefg1", "abcdefg2", "abcdefg3", "abcdefg4")
    )
    for part in (left, under_way, foreign):
        part.write_text("half")
        part.chmod(0o644 if part == foreign else 0o600)
    link.symlink_to(tmp_path / "people.csv")
    with under_way.open() as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        subprocess.run(
            [ADDTOCRM, "verify", "people.csv"], env=server.environment, cwd=tmp_path, check=True, timeout=400
        )
    assert {*tmp_path.glob("*.part")} == {under_way, foreign, link}
    assert (tmp_path / "people.verified.csv").is_file() and (tmp_path / "people.csv").is_file()
