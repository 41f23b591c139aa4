"""A key file that is damaged or of another host ends a start with a sentence, and `addtocrm doctor` finds it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from harness import ADDTOCRM, Server, cli

from addtocrm.core.secrets import FILE, seal


def said(server: Server, *command: str) -> str:
    done = subprocess.run([ADDTOCRM, *command], env=server.environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return " ".join((done.stdout + done.stderr).split())


def test_a_damaged_one(new_server: Callable[..., Server], tmp_path: Path) -> None:
    server = new_server(start=False)
    (tmp_path / FILE).write_text("no key")
    assert f"{FILE} is damaged" in said(server, "serve")
    assert f"{FILE} is damaged" in said(server, "doctor", "--json")


def test_one_of_another_host(new_server: Callable[..., Server], tmp_path: Path) -> None:
    server = new_server()
    account = server.account()
    cli("people", "forget", "kim@example.com", environment=server.environment)
    server.stop()
    (tmp_path / FILE).rename(tmp_path / "theirs")
    assert "The suppression list cannot be read" in said(server, "serve")
    assert not (tmp_path / FILE).exists()
    (tmp_path / "theirs").rename(tmp_path / FILE)
    (tmp_path / "other").mkdir()
    sealed = seal(tmp_path / "other", "a token", "anything")
    server.query(
        """insert into crm_connections (id, account_id, crm, name, crm_account_id, crm_account_name, secret)
           values ('ccn_1', $1, 'builtin', 'B', '1', 'A', $2) returning 1""",
        account.id,
        sealed,
    )
    assert "1 of 1 CRM tokens do not open" in said(server, "doctor")
    before = (tmp_path / FILE).read_bytes()
    assert "nothing was changed" in said(server, "crm", "rotate-key")
    assert (tmp_path / FILE).read_bytes() == before


def test_the_key_of_the_list_is_not_replaced_where_a_token_waits_for_its_key_file(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = new_server()
    account = server.account()
    server.stop()
    server.query(
        """insert into crm_connections (id, account_id, crm, name, crm_account_id, crm_account_name, secret)
           values ('ccn_1', $1, 'builtin', 'B', '1', 'A', $2) returning 1""",
        account.id,
        seal(tmp_path, "a token", "anything"),
    )
    (tmp_path / FILE).rename(tmp_path / "theirs")
    assert "The suppression list cannot be read" in said(server, "serve")
    (tmp_path / "theirs").rename(tmp_path / FILE)
    server.start()
