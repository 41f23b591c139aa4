"""The command line: one JSON document for scripts, exit codes, beside a server and without one."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from harness import ADDTOCRM, Server, cli


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ADDTOCRM_")}
    return {**kept, "ADDTOCRM_DATABASE_URL": database_url, "ADDTOCRM_DATA_DIR": str(tmp_path)}


def run(*arguments: str, environment: dict[str, str], input: str | None = None) -> Any:
    return subprocess.run(
        [ADDTOCRM, *arguments], env=environment, capture_output=True, text=True, input=input, timeout=60
    )


def test_an_accounts_life(environment: dict[str, str]) -> None:
    made = cli(
        "accounts", "create", "Cli@example.com", "--plan", "pro", "--password-stdin",
        environment=environment, input="correct horse battery\n",
    )  # fmt: skip
    assert (made["email"], made["plan"], made["credits_available"]) == ("cli@example.com", "pro", 1000)
    key = cli("keys", "create", "cli@example.com", "--scopes", "enrich,read", environment=environment)
    assert key["key"].startswith("addtocrm_live_")
    listed = cli("keys", "list", "cli@example.com", environment=environment)
    assert [one["id"] for one in listed] == [key["id"]]
    assert key["key"] not in json.dumps(listed)
    assert cli("keys", "revoke", key["id"], environment=environment)["revoked"] is True
    assert cli("accounts", "set-credits", "cli@example.com", "7", environment=environment)["credits_available"] == 7
    assert cli("accounts", "set-plan", "cli@example.com", "free", environment=environment)["plan"] == "free"
    connected = cli("crm", "connect", "cli@example.com", "builtin", environment=environment)
    assert connected["crm"] == "builtin"
    assert cli("crm", "disconnect", "cli@example.com", environment=environment)["connected"] is False


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nonsense"], 2),
        (["accounts", "create"], 2),
        (["accounts", "create", "a@example.com", "--plan", "gold"], 2),
        (["accounts", "create", "nobody"], 1),
        (["keys", "create", "missing@example.com", "--scopes", "read"], 1),
        (["keys", "revoke", "key_missing"], 1),
        (["crm", "connect", "missing@example.com", "builtin"], 1),
    ],
)
def test_failures(environment: dict[str, str], arguments: list[str], code: int) -> None:
    done = run(*arguments, environment=environment)
    assert done.returncode == code, done.stderr
    assert done.stderr
    assert not done.stdout
    assert "Traceback" not in done.stderr


def test_keys_need_pro_and_known_scopes(environment: dict[str, str]) -> None:
    cli("accounts", "create", "free@example.com", environment=environment)
    assert "Pro" in run("keys", "create", "free@example.com", "--scopes", "read", environment=environment).stderr
    cli("accounts", "set-plan", "free@example.com", "pro", environment=environment)
    assert "admin" in run("keys", "create", "free@example.com", "--scopes", "admin", environment=environment).stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ADDTOCRM_PORT", "many"),
        ("ADDTOCRM_PORT", "70000"),
        ("ADDTOCRM_CACHE_DAYS", "-1"),
        ("ADDTOCRM_DATABASE_URL", "mysql://x"),
        ("ADDTOCRM_NONSENSE", "1"),
    ],
)
def test_a_wrong_setting_is_named(environment: dict[str, str], name: str, value: str) -> None:
    done = run("settings", environment={**environment, name: value})
    assert done.returncode == 1
    assert name in done.stderr


def test_settings_and_doctor(environment: dict[str, str]) -> None:
    listed = {one["variable"]: one["value"] for one in cli("settings", environment=environment)}
    assert listed["ADDTOCRM_RATE_PER_MINUTE"] == 60
    assert all(one["ok"] for one in cli("doctor", environment=environment))
    broken = {**environment, "ADDTOCRM_VALKEY_URL": "valkey://127.0.0.1:1"}
    assert run("doctor", environment=broken).returncode == 1


def test_beside_a_running_server(server: Server) -> None:
    made = cli("accounts", "create", "beside@example.com", "--plan", "pro", environment=server.environment)
    key = cli("keys", "create", made["email"], "--scopes", "read", environment=server.environment)
    assert server.client(key["key"]).get("/v1/usage").json()["data"]["plan"] == "pro"
