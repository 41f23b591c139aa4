"""addtocrm demo"""

import asyncio
import json as json_module
import os
import secrets
import sys
import urllib.error
import urllib.request
from typing import Any

import structlog
from rich.markup import escape
from rich.syntax import Syntax

from addtocrm import sample
from addtocrm.cli.output import out
from addtocrm.cli.serve import place, run
from addtocrm.core import logs
from addtocrm.core import settings as settings_module
from addtocrm.core.settings import Settings
from addtocrm.sources.dataset import service as dataset
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.keys import service as keys

log = structlog.get_logger()

PERSON = "https://www.linkedin.com/in/jane-doe-example"


def demo() -> None:
    """Walk through the main job on the sample data; then serve."""
    settings = settings_module.load()
    os.environ.setdefault("ADDTOCRM_LOG_LEVEL", "warning")
    logs.configure("warning", pretty=sys.stderr.isatty())
    with place(settings) as taken:
        token, link = asyncio.run(_prepare(settings, taken.database_url))
        run(settings, taken, lambda: Tour(settings.base_url, token, link).walk())


async def _prepare(settings: Settings, url: str) -> tuple[str, str]:
    """Imports the sample, and makes a Pro account with the built-in CRM and a key; gives the key, and a link that signs
    its owner in to the dashboard."""
    # Metrics come with them, and `place` decides first where these are counted.
    from addtocrm.cli.links import sign_in_link
    from addtocrm.crm import connections
    from addtocrm.crm.setup import opened

    async with opened(url, settings) as crm:
        pool = crm.pool
        for name, imports, file in (
            ("people", dataset.import_people, sample.people_file()),
            ("companies", dataset.import_companies, sample.companies_file()),
        ):
            _say(f"addtocrm import {name} {file}")
            result = await imports(pool, file, lambda _: None)
            out.print(f"{result.rows} rows: {result.created} new, {result.updated} updated, {result.refused} refused")
        email = f"demo-{secrets.token_hex(3)}@example.com"
        _say(f"addtocrm accounts create {email} --plan pro")
        account = await accounts.create(pool, email, "pro")
        out.print(f"{account.id}: {account.credits_available} credits this month")
        _say(f"addtocrm crm connect {email} builtin")
        await connections.connect(crm, account.id, "builtin")
        out.print("connected")
        _say(f"addtocrm keys create {email} --scopes enrich,write,lists,read")
        key = await keys.create(pool, email, ["enrich", "write", "lists", "read"], "Demo")
        out.print(key.key)
        return key.key, await sign_in_link(settings, pool, account.id)


def _say(command: str) -> None:
    out.print(f"\n[bold green]$[/] [bold]{command}[/]", soft_wrap=True)


class Tour:
    """The main job as a caller does it, each step printed as the curl command and the answer."""

    def __init__(self, base_url: str, token: str, link: str) -> None:
        self._base = base_url
        self._token = token
        self._link = link

    def walk(self) -> None:
        _say(f"export KEY={self._token}")
        first = self._call("POST", "/v1/people/enrich", {"linkedin_url": PERSON})
        self._call("POST", "/v1/crm/contacts", {"person": first["data"]})
        self._call("POST", "/v1/people/enrich", {"linkedin_url": "http://de.linkedin.com/in/Jane-Doe-Example/?trk=x"})
        self._call("GET", "/v1/usage")
        self._call("GET", "/v1/events?since=2026-01-01T00:00:00Z")
        out.print(f"\nAddToCRM goes on at {self._base}; the API's documentation is at {self._base}/docs", style="bold")
        out.print(f"Open the dashboard, signed in (works once): {self._link}", soft_wrap=True)
        out.print("Ctrl-C ends it.")

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        command = f"curl -s '{self._base}{path}' -H \"Authorization: Bearer $KEY\""
        if body is not None:
            text = json_module.dumps(body, ensure_ascii=False).replace("'", "'\\''")
            command += f" \\\n    -H 'Content-Type: application/json' -d '{text}'"
        _say(escape(command))
        answer = self._request(method, path, body)
        text = json_module.dumps(answer, indent=2, ensure_ascii=False)
        out.print(
            Syntax(text, "json", background_color="default", word_wrap=True) if out.is_terminal else text,
            markup=False,
            soft_wrap=True,
        )
        return answer

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        request = urllib.request.Request(  # noqa: S310 (our own address)
            self._base + path,
            method=method,
            data=None if body is None else json_module.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
                return json_module.load(response)
        except urllib.error.HTTPError as error:
            return json_module.load(error)
