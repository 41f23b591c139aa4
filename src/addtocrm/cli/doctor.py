"""addtocrm doctor"""

import asyncio
import shutil
import socket
from collections.abc import Callable
from typing import Annotated, Any, cast

import msgspec
from cyclopts import Parameter
from rich.table import Table
from valkey import Valkey
from valkey.exceptions import ValkeyError

from addtocrm import settings as settings_module
from addtocrm.cli.database import database
from addtocrm.cli.output import FAILURES, emit, out
from addtocrm.db.pool import open_pool
from addtocrm.emails.dns import MailDns
from addtocrm.settings import Settings

LEAST_FREE_BYTES = 2**30
MAIL_DOMAIN = "gmail.com"
MAIL_SECONDS = 5.0


class Check(msgspec.Struct, frozen=True):
    check: str
    ok: bool
    found: str


class Problem(Exception):
    """What a check found wrong, and what to do."""


def doctor(*, json: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Check everything that AddToCRM needs.

    Exit code 1 where something is wrong.
    """
    settings = settings_module.load()
    checks = [
        _check("data folder", lambda: _folder(settings)),
        _check("database", lambda: _database(settings)),
        _check("valkey", lambda: _valkey(settings)),
        _check("address", lambda: _address(settings)),
        _check("mail", lambda: asyncio.run(_mail(settings))),
    ]
    if json:
        emit(checks, json=True)
    else:
        table = Table("", "check", "found")
        for one in checks:
            table.add_row("[green]ok[/]" if one.ok else "[red]problem[/]", one.check, one.found)
        out.print(table)
    return 0 if all(one.ok for one in checks) else 1


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except (Problem, *FAILURES, ValkeyError) as error:
        return Check(name, False, str(error))


def _folder(settings: Settings) -> str:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data_dir).free
    if free < LEAST_FREE_BYTES:
        raise Problem(f"{settings.data_dir} has {free / 2**30:.1f} GiB free; make room.")
    return f"{settings.data_dir}, {free / 2**30:.0f} GiB free"


def _database(settings: Settings) -> str:
    async def look(url: str) -> str:
        pool = await open_pool(url, size=1)
        try:
            version = await pool.fetchval("select current_setting('server_version')")
            people = await pool.fetchval("select count(*) from people")
            companies = await pool.fetchval("select count(*) from companies")
        finally:
            await pool.close()
        kind = "own" if settings.database_url else "embedded"
        hint = "" if people else " (`addtocrm import people FILE` brings some)"
        return f"{kind} PostgreSQL {version}, {people:,} people{hint}, {companies:,} companies"

    with database(settings) as url:
        return asyncio.run(look(url))


def _valkey(settings: Settings) -> str:
    if not settings.valkey_url:
        return "none: rate limits are counted in the one worker"
    client = cast(Any, Valkey).from_url(settings.valkey_url.replace("valkey", "redis", 1), socket_timeout=2)
    client.ping()
    return "answers"


def _address(settings: Settings) -> str:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.settimeout(2)
        if probe.connect_ex((settings.host, settings.port)) == 0:
            return f"something answers at {settings.base_url} (a running AddToCRM, or another program)"
    return f"{settings.base_url} is free"


async def _mail(settings: Settings) -> str:
    """Whether mail servers can be reached; that they cannot is no fault, for not everybody verifies addresses."""
    route = await MailDns(settings.dns_servers).route(MAIL_DOMAIN, MAIL_SECONDS)
    if not route.hosts:
        return f"the resolvers do not find {MAIL_DOMAIN}: verifications end as unknown"
    try:
        async with asyncio.timeout(MAIL_SECONDS):
            _, writer = await asyncio.open_connection(route.hosts[0], settings.smtp_port)
    except (OSError, TimeoutError):
        return f"port {settings.smtp_port} of {route.hosts[0]} can't be reached: verifications end as unknown"
    writer.close()
    return f"mail servers can be reached; we say that we are {settings.helo}"
