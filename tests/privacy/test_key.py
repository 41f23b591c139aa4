"""The list's hashes are keyed; the key is the deployment's."""

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

from harness import ADDTOCRM, Server, cli, each

URL = "https://www.linkedin.com/in/keyed-example"


def enriched(server: Server, **environment: str) -> int:
    account = server.account(credits=10)
    return account.enrich("keyed-example").status_code


def test_a_hash_cannot_be_guessed_from_an_identifier(new_server: Callable[..., Server]) -> None:
    server = new_server(start=False)
    commands = [["people", "forget", whom] for whom in ("kim@keyed.example.com", URL)]
    assert [code for code, _, _ in each(commands, server.environment)] == [0, 0]
    hashes = {row["hash"] for row in server.query("select hash from suppressions")}
    plain = [hashlib.sha256(one.encode()).digest() for one in ("email:kim@keyed.example.com", f"linkedin:{URL}")]
    assert len(hashes) == 2
    assert not hashes.intersection([*plain, *(hashlib.sha256(one).digest() for one in plain)])


def test_a_list_without_a_key_is_keyed_at_the_first_start(new_server: Callable[..., Server]) -> None:
    server = new_server(start=False)
    old = hashlib.sha256(f"linkedin:{URL}".encode()).digest()
    server.query("insert into suppressions (hash) values ($1) returning 1", old)
    server.start()
    server.add_people("keyed-example")
    assert server.query("select hash from suppressions")[0]["hash"] != old
    assert enriched(server) == 404
    server.stop()
    server.start()
    assert enriched(server) == 404


def test_every_host_with_the_key_file_reads_the_list_and_another_says_why_not(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    first = new_server(start=False)
    first.add_people("keyed-example")
    cli("people", "forget", URL, environment=first.environment)
    same, other = tmp_path / "same", tmp_path / "other"
    for folder in (same, other):
        folder.mkdir(mode=0o700)
    (same / "secret.key").write_bytes((tmp_path / "secret.key").read_bytes())
    second = new_server(first.database_url, ADDTOCRM_DATA_DIR=str(same))
    assert enriched(second) == 404
    environment = {**first.environment, "ADDTOCRM_DATA_DIR": str(other)}
    refused = subprocess.run(
        [ADDTOCRM, "people", "forget", "x@keyed.example.com"], env=environment, capture_output=True, text=True
    )
    assert refused.returncode == 1
    said = "".join(refused.stderr.split())
    assert "suppressionlistcannotberead" in said and f"{other}/secret.key" in said
    assert "Traceback" not in refused.stderr


def test_where_nobody_was_forgotten_a_lost_key_file_costs_nothing(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = new_server()
    server.add_people("keyed-example")
    server.stop()
    (tmp_path / "secret.key").unlink()
    server.start()
    assert enriched(server) == 200
    cli("people", "forget", URL, environment=server.environment)
    assert enriched(server) == 404


def test_rotating_the_key_file_keeps_the_list(new_server: Callable[..., Server]) -> None:
    server = new_server()
    server.add_people("keyed-example")
    cli("people", "forget", URL, environment=server.environment)
    cli("crm", "rotate-key", environment=server.environment)
    key_file = Path(server.environment["ADDTOCRM_DATA_DIR"]) / "secret.key"
    key_file.write_bytes(key_file.read_bytes().splitlines(keepends=True)[0])
    server.stop()
    server.start()
    assert enriched(server) == 404
