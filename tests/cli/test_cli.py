"""The command line: one JSON document for scripts, exit codes, beside a server and without one."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from harness import ADDTOCRM, Server, cli, each

from addtocrm.cli.app import COMMANDS, app
from addtocrm.core import settings
from addtocrm.core.settings import SettingsError


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ADDTOCRM_")}
    return {**kept, "ADDTOCRM_DATABASE_URL": database_url, "ADDTOCRM_DATA_DIR": str(tmp_path)}


def run(*arguments: str, environment: dict[str, str], input: str | None = None) -> Any:
    return subprocess.run(
        [ADDTOCRM, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        input=input,
        timeout=200,
        cwd=environment["ADDTOCRM_DATA_DIR"],
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
    assert cli("crm", "switch", "cli@example.com", "builtin", environment=environment) == connected
    (kept,) = cli("crm", "info", "cli@example.com", "--all", environment=environment)
    assert connected.items() <= kept.items() and kept["active"] is True
    fields = cli("crm", "fields", "cli@example.com", "--object", "company", environment=environment)
    assert {"name", "domain"} <= {one["maps_to"] for one in fields}
    mapping = cli("crm", "map", "cli@example.com", environment=environment)
    assert {"field": "job_title", "from": ["job_title"]}.items() <= mapping["rules"][6].items()
    assert cli("crm", "disconnect", "cli@example.com", environment=environment)["connected"] is False


FAILURES = {
    "nonsense": 2,
    "accounts create": 2,
    "accounts create a@example.com --plan gold": 2,
    "accounts create nobody": 1,
    "keys create missing@example.com --scopes read": 1,
    "keys revoke key_missing": 1,
    "crm connect missing@example.com builtin": 1,
}


def test_failures(environment: dict[str, str]) -> None:
    process = run("accounts", "create", "nobody", environment=environment)
    results = each([command.split() for command in FAILURES], environment)
    ends = zip([*FAILURES.items(), ("in a process of its own", 1)], [*results, outcome(process)], strict=True)
    for (command, code), (came, out, err) in ends:
        assert (came, out) == (code, "") and err and "Traceback" not in err, (command, came, out, err)


def outcome(process: Any) -> tuple[int, str, str]:
    return process.returncode, process.stdout, process.stderr


def test_keys_need_pro_and_known_scopes(environment: dict[str, str]) -> None:
    cli("accounts", "create", "free@example.com", environment=environment)
    assert "Pro" in run("keys", "create", "free@example.com", "--scopes", "read", environment=environment).stderr
    cli("accounts", "set-plan", "free@example.com", "pro", environment=environment)
    assert "admin" in run("keys", "create", "free@example.com", "--scopes", "admin", environment=environment).stderr


SETTINGS = {
    "PORT": ["many", "70000", "0"],
    "HOST": ["localhost", "example.com", "127.0.0.1:80", "300.1.1.1", "[::1]"],
    "WORKERS": ["0", "-1", "1000"],
    "PUBLIC_URL": ["example.com", "ftp://example.com", "https://", "http://x:70000", "https://x/?a=b", "https://x y"],
    "DATABASE_URL": ["mysql://x", "postgresql://x:port/y"],
    "VALKEY_URL": ["http://x", "valkey://x:99999"],
    "TRUSTED_PROXIES": ["proxy", "10.0.0.0/33", "10.0.0.1,x", "300.0.0.1"],
    "DNS_SERVERS": ["1.1.1.1:port", "1.1.1.1:0", "1.1.1.1:70000", "not a host", "[::1]:x", "1.1.1.1,-x"],
    "CACHE_DAYS": ["-1", "0", "inf", "nan", "1e300", "soon"],
    "RATE_PER_MINUTE": ["0", "-1", "many", "99999999999999999999"],
    "RATE_PER_HOUR": ["0", "2147483648"],
    "MAX_BODY_BYTES": ["0", "99999999999999"],
    "METRICS_TOKEN": ["two words", "é"],
    "LOG_LEVEL": ["loud"],
    "SMTP_PORT": ["0", "65536"],
    "SMTP_HELO": ["a\r\nRCPT TO:<x@example.com>", "a\nb", "a b", "-x", "[10.0.0.300]", "ü.example.com"],
    "SMTP_FROM": ["a@example.com>\r\nRCPT TO:<b@example.com", "a@example.com\nb", "<a@example.com>", "nobody", "a@b@c"],
    "ALLOW_PRIVATE_NETWORKS": ["perhaps"],
    "HUBSPOT_URL": ["hubspot", "file:///etc/passwd"],
    "HUBSPOT_CLIENT_ID": ["a\r\nb"],
    "NONSENSE": ["1"],
}


def test_a_wrong_setting_is_named() -> None:
    for name, values in SETTINGS.items():
        for value in values:
            with pytest.raises(SettingsError, match=f"ADDTOCRM_{name}"):
                settings.load({f"ADDTOCRM_{name}": value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOST", "::"),
        ("PUBLIC_URL", "https://crm.example.com:8443/base"),
        ("DATABASE_URL", "postgresql:///addtocrm?host=/run/postgresql"),
        ("DATABASE_URL", "postgres://u:p%40ss@db.example.com:5432/name"),
        ("VALKEY_URL", "unix:///run/valkey.sock"),
        ("TRUSTED_PROXIES", "10.0.0.1, 10.0.0.0/8, fd00::/8"),
        ("DNS_SERVERS", "1.1.1.1, 1.1.1.1:53, [::1]:5353, [::1], 2606:4700::1111, dns.example.com:53, coredns"),
        ("CACHE_DAYS", "0.5"),
        ("SMTP_HELO", "[192.0.2.1]"),
        ("SMTP_HELO", "[IPv6:2001:db8::1]"),
        ("SMTP_FROM", "verify+x@mail.example.com"),
        ("HUBSPOT_URL", "http://127.0.0.1:8080"),
    ],
)
def test_a_right_setting_is_taken(name: str, value: str) -> None:
    settings.load({f"ADDTOCRM_{name}": value})


def test_a_wrong_setting_ends_a_command_with_a_sentence(environment: dict[str, str]) -> None:
    wrong = {**environment, "ADDTOCRM_TRUSTED_PROXIES": "proxy"}
    commands = [["settings"], ["doctor"], ["keys", "list", "a@example.com"]]
    for code, out, err in [outcome(run("serve", environment=wrong)), *each(commands, wrong)]:
        assert (code, out) == (1, "")
        assert err.strip() == ("addtocrm: ADDTOCRM_TRUSTED_PROXIES takes IP addresses and networks such as 10.0.0.0/8.")


BAD_INPUT = {
    "accounts create": ["no-address", "a@example.com --credits -1", "a@example.com --credits 99999999999999999999"],
    "accounts set-plan": ["missing@example.com pro", "missing@example.com gold"],
    "accounts set-credits": ["missing@example.com 1", "missing@example.com many", f"missing@example.com {10**30}"],
    "accounts reset-second-step": ["missing@example.com", "no-address"],
    "accounts grant-credits": ["missing@example.com 1", "pro@example.com 0", f"pro@example.com {10**30}"],
    "accounts suspend": ["missing@example.com", ""],
    "accounts unsuspend": ["missing@example.com"],
    "accounts operator": ["missing@example.com on", "pro@example.com perhaps", "nobody off"],
    "keys create": [
        "pro@example.com --scopes read --rate-per-minute 0",
        "pro@example.com --scopes read --rate-per-hour -5",
        "pro@example.com --scopes read --rate-per-minute 2147483648",
        "pro@example.com --scopes , --name x",
    ],
    "keys list": ["missing@example.com", "\udcff@example.com", ""],
    "keys revoke": ["key_missing", "\udcff"],
    "import people": ["missing.csv", ".", "/proc/self/mem", "\udcff.csv"],
    "import companies": ["missing.csv", "."],
    "people forget": ["nobody", ""],
    "enrich": ["missing.csv", ".", "missing.csv --min-confidence 2"],
    "verify": ["missing.csv", ".", "missing.csv --output missing.csv"],
    "crm connect": [
        "pro@example.com nocrm",
        "missing@example.com builtin",
        "pro@example.com builtin --token t",
        "pro@example.com builtin --contact-object lead",
        "pro@example.com hubspot",
        "pro@example.com hubspot --no-wait",
        "pro@example.com hubspot --token-stdin",
        "pro@example.com hubspot --token t\xf6k",
        "pro@example.com hubspot --token t --contact-object lead",
        "pro@example.com salesforce --contact-object person",
    ],
    "crm switch": [
        "pro@example.com builtin",
        "crm@example.com hubspot",
        "crm@example.com \udcff",
        "missing@example.com x",
    ],
    "crm disconnect": ["missing@example.com", "pro@example.com", "crm@example.com hubspot"],
    "crm info": ["pro@example.com", "missing@example.com", "missing@example.com --all"],
    "crm fields": [
        "pro@example.com",
        "missing@example.com",
        "crm@example.com --object nothing",
        "crm@example.com --object lead",
    ],
    "crm map": [
        "pro@example.com",
        "missing@example.com",
        "crm@example.com --object lead",
        "crm@example.com nonsense",
        "crm@example.com full_name=job_title",
        "crm@example.com --reset",
        "crm@example.com --create-linkedin-field",
        "crm@example.com --file missing.json",
        "crm@example.com --file .",
        "crm@example.com --file /etc/hostname",
    ],
    "crm export": ["pro@example.com out.csv", "pro@example.com out.txt", "missing@example.com /missing/x.csv"],
    "crm rotate-key": ["surplus"],
    "db migrate": ["surplus"],
    "db backup": ["/missing/folder/x.dump", "."],
    "db restore": ["missing.dump", "/etc/hostname"],
    "search rebuild": ["surplus"],
    "settings": ["surplus"],
    "doctor": ["surplus"],
    "serve": ["surplus"],
    "demo": ["surplus"],
}


def commands(app: Any, prefix: str = "") -> list[str]:
    found: list[str] = []
    for name in [name for name in app if not name.startswith("-")]:
        inner = [one for one in app[name] if not one.startswith("-")]
        found += commands(app[name], f"{prefix}{name} ") if inner else [f"{prefix}{name}"]
    return found


def test_every_command_is_tried_with_bad_input() -> None:
    assert sorted(commands(app)) == sorted(BAD_INPUT)


def test_bad_input_ends_with_a_sentence(environment: dict[str, str]) -> None:
    for email in ("pro@example.com", "crm@example.com"):
        cli("accounts", "create", email, "--plan", "pro", environment=environment)
    cli("crm", "connect", "crm@example.com", "builtin", environment=environment)
    tried = [[*command.split(), *(one.split() or [""])] for command, many in BAD_INPUT.items() for one in many]
    results = each(tried, environment)
    for arguments, (code, out, err) in zip(tried, results, strict=True):
        assert code in (1, 2), (arguments, code, err)
        assert err.strip().startswith("addtocrm: ") and not out, (arguments, out, err)
        assert "Traceback" not in err, (arguments, err)
        assert "should not have happened" not in err, (arguments, err)


def test_a_rate_limit_of_nothing_is_a_matter_of_usage(environment: dict[str, str]) -> None:
    done = run("keys", "create", "a@example.com", "--scopes", "read", "--rate-per-minute", "0", environment=environment)
    assert done.returncode == 2
    assert "--rate-per-minute" in done.stderr


def test_the_help_says_what_each_command_does(environment: dict[str, str]) -> None:
    lines = {
        line.strip("│ \n").partition(" ")[0]: line.strip("│ \n").partition(" ")[2].strip()
        for line in run("--help", environment={**environment, "COLUMNS": "80"}).stdout.splitlines()
        if line.startswith("│")
    }
    for name in COMMANDS:
        assert lines[name].endswith("."), (name, lines.get(name))
    assert "the account that pays" in run("verify", "--help", environment=environment).stdout


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
