"""What the guides tell people to copy does what they say."""

import html
import re
import subprocess
import sys
from typing import get_args

from harness import Server
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
