"""What the guides tell people to copy does what they say."""

import html
import re
import subprocess
import sys
from typing import get_args

from harness import Server, until
from playwright._impl._driver import compute_driver_executable
from signed import member

from addtocrm.core.errors import ErrorType


def test_each_snippet_of_the_quickstart_runs(server: Server) -> None:
    server.add_people("jane-doe-example")
    account = server.account()
    account.connect_builtin()
    page = member(server, account.id, "member").get("/quickstart").text
    node = str(compute_driver_executable()[0])
    found = re.findall(r"<h3>(\w+)</h3><div[^>]*><pre[^>]*><code>(.*?)</code>", page, re.DOTALL)
    said: list[str] = []
    for language, code in found:
        shells = {"curl": ["sh", "-c"], "Python": [sys.executable, "-c"], "JavaScript": [node, "-e"]}
        command = [*shells[language], html.unescape(code)]
        done = subprocess.run(command, env={"KEY": account.token, "PATH": "/usr/bin:/bin"}, capture_output=True)
        assert done.returncode == 0, (language, done.stderr)
        said.append(done.stdout.decode())
    assert [language for language, _ in found] == ["curl", "Python", "JavaScript"] * 2
    assert all("Test jane-doe-example" in one for one in said[:3])
    assert "created" in said[3] and said[4:] == ["unchanged\n"] * 2


def test_every_error_is_told(server: Server) -> None:
    owner = member(server, server.account().id, "member")
    page = owner.get("/errors").text
    for type in get_args(ErrorType):
        assert page.count(f'<tr id="{type}">') == 1
    assert f"{server.url}/v1/crm/info" in owner.get("/automations").text


def test_requests_are_tried_with_a_key_of_the_session(server: Server) -> None:
    account = server.account()
    account.connect_builtin()
    mine = member(server, account.id, "member")
    form = mine.get("/reference/key").text
    assert 'value="read" checked' in form and 'value="write"' not in form
    for scopes in ([], ["write"], ["all"]):
        assert mine.post("/reference/key", scopes=scopes).status_code == 400
    tokens: list[str] = []
    for _ in range(2):
        answer = mine.post("/reference/key", scopes=["read"])
        assert answer.headers["cache-control"] == "no-store" and "/v1/people/enrich" in answer.text
        tokens += re.findall(r'value="(addtocrm_live_\w{36})"', answer.text)
    first, client = (server.client(token) for token in tokens)
    assert client.get("/v1/crm/info").status_code == 200 and first.get("/v1/crm/info").status_code == 401
    assert client.post("/v1/people/enrich", json={"email": "a@example.com"}).status_code == 403
    assert mine.client.get("/v1/crm/info").status_code == 401  # The API takes no cookie.
    assert "API reference, member-" in mine.get("/keys").text
    late = member(server, server.account().id, "owner").post("/reference/key", scopes=["read", "write"]).text
    late_client = server.client(re.findall(r'value="(addtocrm_live_\w{36})"', late)[0])
    assert late_client.get("/v1/usage").status_code == 200
    server.query(
        "update keys set expires_at = expires_at - interval '61 minutes' "
        "where session_id is not null and account_id <> $1 returning id",
        account.id,
    )
    until(lambda: late_client.get("/v1/usage").json().get("error", {}).get("type") == "key_revoked")
    assert client.get("/v1/crm/info").status_code == 200
    mine.post("/sign-out", on="/lists")
    until(lambda: client.get("/v1/crm/info").json().get("error", {}).get("type") == "key_revoked")
    until(lambda: [one["type"] for one in account.events()].count("key.revoked") == 1)


def test_a_key_of_the_session_ends_with_the_role_that_it_was_for(server: Server) -> None:
    account = server.account()
    owner, admin = member(server, account.id, "owner"), member(server, account.id, "admin")
    page = admin.post("/reference/key", scopes=["read", "write"]).text
    client = server.client(re.findall(r'value="(addtocrm_live_\w{36})"', page)[0])
    assert client.get("/v1/usage").status_code == 200
    members = owner.get("/members").text
    id = re.findall(r"/members/(usr_\w+)/role", members[members.index("admin-") :])[0]
    assert owner.post(f"/members/{id}/role", on="/members", role="member").status_code == 303
    until(lambda: client.get("/v1/usage").json().get("error", {}).get("type") == "key_revoked")
