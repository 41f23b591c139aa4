"""Secrets at rest."""

import multiprocessing
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from addtocrm.core import secrets

TOKEN = "pat-na1-example-token-äöü"


def test_a_sealed_secret_opens_and_shows_nothing(tmp_path: Path) -> None:
    sealed = secrets.seal(tmp_path, TOKEN, "one")
    assert TOKEN.encode() not in sealed
    assert secrets.seal(tmp_path, TOKEN, "one") != sealed
    assert secrets.unseal(tmp_path, sealed, "one") == TOKEN


def test_it_opens_for_its_purpose_alone(tmp_path: Path) -> None:
    sealed = secrets.seal(tmp_path, TOKEN, "account a")
    with pytest.raises(secrets.SecretError) as caught:
        secrets.unseal(tmp_path, sealed, "account b")
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("position", [0, 1, 9, 25, -1])
def test_a_changed_byte_is_noticed(tmp_path: Path, position: int) -> None:
    sealed = bytearray(secrets.seal(tmp_path, TOKEN, "one"))
    sealed[position] ^= 1
    with pytest.raises(secrets.SecretError):
        secrets.unseal(tmp_path, bytes(sealed), "one")


def test_after_rotation_old_ones_open_and_new_ones_have_the_new_key(tmp_path: Path) -> None:
    old = secrets.seal(tmp_path, TOKEN, "one")
    secrets.rotate(tmp_path)
    new = secrets.seal(tmp_path, TOKEN, "one")
    assert old[1:9] != new[1:9]
    assert secrets.unseal(tmp_path, old, "one") == secrets.unseal(tmp_path, new, "one") == TOKEN
    file = tmp_path / secrets.FILE
    file.write_bytes(file.read_bytes().split()[0] + b"\n")
    assert secrets.unseal(tmp_path, new, "one") == TOKEN
    with pytest.raises(secrets.SecretError):
        secrets.unseal(tmp_path, old, "one")


def test_the_key_file_is_the_owners_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        secrets.seal(tmp_path / "new", TOKEN, "one")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new" / secrets.FILE).stat().st_mode) == 0o600
    secrets.rotate(tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new" / secrets.FILE).stat().st_mode) == 0o600
    assert [file.name for file in (tmp_path / "new").iterdir()] == [secrets.FILE]


def test_rotations_at_once_lose_no_key(tmp_path: Path) -> None:
    secrets.seal(tmp_path, TOKEN, "one")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: secrets.rotate(tmp_path), range(16)))
    assert len(set((tmp_path / secrets.FILE).read_bytes().split())) == 17


def _seal(folder: Path) -> bytes:
    return secrets.seal(folder, TOKEN, "one")


def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(8) as processes:
        sealed = processes.map(_seal, [tmp_path] * 16, chunksize=1)
    assert len({one[1:9] for one in sealed}) == 1
    assert all(secrets.unseal(tmp_path, one, "one") == TOKEN for one in sealed)


def test_a_damaged_key_file_is_told_and_kept(tmp_path: Path) -> None:
    (tmp_path / secrets.FILE).write_text("not a key\n")
    with pytest.raises(secrets.SecretError, match=r"secret\.key is damaged"):
        secrets.seal(tmp_path, TOKEN, "one")
    assert (tmp_path / secrets.FILE).read_text() == "not a key\n"


def test_a_key_file_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    sealed = secrets.seal(tmp_path, TOKEN, "one")
    (tmp_path / secrets.FILE).unlink()
    (tmp_path / secrets.FILE).mkdir()
    for use in (
        lambda: secrets.unseal(tmp_path, sealed, "one"),
        lambda: secrets.seal(tmp_path, TOKEN, "one"),
        lambda: secrets.rotate(tmp_path),
    ):
        with pytest.raises(secrets.SecretError, match=r"secret\.key cannot be read: Is a directory\."):
            use()


def test_a_key_file_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(secrets.SecretError, match=r"secret\.key cannot be made: "):
        secrets.seal(tmp_path / "file", TOKEN, "one")
