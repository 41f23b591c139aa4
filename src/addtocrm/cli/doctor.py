"""addtocrm doctor"""

import asyncio
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
from cyclopts import Parameter
from rich.table import Table
from valkey import Valkey
from valkey.exceptions import ValkeyError

from addtocrm.cli.database import is_up_to_date
from addtocrm.cli.output import FAILURES, emit, out
from addtocrm.core import logs, valkeys
from addtocrm.core import settings as settings_module
from addtocrm.core.db import postmaster
from addtocrm.core.db.embedded import is_kept
from addtocrm.core.db.keeper import keeper_url
from addtocrm.core.db.pool import open_pool
from addtocrm.core.secrets import FILE
from addtocrm.core.settings import Settings
from addtocrm.crm import connections
from addtocrm.crm.setup import opened
from addtocrm.dashboard.health import MOST_BEHIND, Check, Problem, free_bytes
from addtocrm.mail.dns import MailDns
from addtocrm.privacy import service as suppressions
from addtocrm.sources.index import damage, folder
from addtocrm.sources.index.follow import behind
from addtocrm.sources.index.reader import NotReady, Reader

MAIL_DOMAIN = "gmail.com"
MAIL_SECONDS = 5.0
ANSWER_SECONDS = 5.0
SHOWN = {True: "[green]ok[/]", False: "[red]problem[/]", None: "[yellow]not checked[/]"}


class NotChecked(Exception):
    """Why a check could not be made."""


def doctor(*, json: Annotated[bool, Parameter(negative=())] = False) -> int:
    """Check all that AddToCRM needs, and that it runs.

    Exit code 1 where something is wrong.
    """
    settings = settings_module.load()
    logs.configure(settings.log_level, pretty=sys.stderr.isatty())
    checks = [
        _check("server", lambda: _server(settings)),
        _check("data folder", lambda: _folder(settings)),
        _check("database", lambda: _database(settings)),
        _check("secret key", lambda: _secret_key(settings)),
        _check("crm", lambda: _crms(settings)),
        _check("search index", lambda: _search(settings)),
        _check("valkey", lambda: _valkey(settings)),
        _check("mail", lambda: asyncio.run(_mail(settings))),
    ]
    if json:
        emit(checks, json=True)
    else:
        table = Table("", "check", "found")
        for one in checks:
            table.add_row(SHOWN[one.ok], one.check, one.found)
        out.print(table)
    return 1 if any(one.ok is False for one in checks) else 0


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except NotChecked as reason:
        return Check(name, None, str(reason))
    except (Problem, *FAILURES, ValkeyError) as error:
        return Check(name, False, str(error))


def _server(settings: Settings) -> str:
    """What the server says of itself, at the address that it wrote into the data folder, or that of the settings."""
    keeping = not settings.database_url and is_kept(settings.data_dir)
    url = keeper_url(settings.data_dir) if keeping else settings.local_url
    try:
        status, said = _readiness(url)
    except (TimeoutError, urllib.error.URLError) as error:
        if keeping:
            raise Problem(f"it runs, but does not answer at {url}: {error}") from None
        if isinstance(getattr(error, "reason", None), ConnectionRefusedError):
            return f"none runs, {url} is free"
        raise Problem(f"something at {url} does not answer as a server does: {error}") from None
    if said is None:
        raise Problem(f"another program answers at {url}; stop it, or choose another port with ADDTOCRM_PORT.")
    if status != 200:
        raise Problem(f"it runs at {url}, and is not ready: {said}")
    return f"ready at {url}"


def _readiness(url: str) -> tuple[int, str | None]:
    """The status of /readyz and what it says; None where it is not AddToCRM that answers."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=ANSWER_SECONDS) as response:  # noqa: S310 (our own address)
            status, body = response.status, response.read(1000)
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read(1000)
    try:
        return status, msgspec.json.decode(body, type=dict[str, str])["status"]
    except (msgspec.MsgspecError, KeyError):
        return status, None


def _folder(settings: Settings) -> str:
    if not settings.data_dir.is_dir():
        raise NotChecked(f"{settings.data_dir} is not there yet; `addtocrm serve` makes it")
    return f"{settings.data_dir}, {free_bytes(settings.data_dir) / 2**30:.0f} GiB free"


def _database(settings: Settings) -> str:
    """Looks at a database that runs; starting the embedded one here would hide that it was down."""
    if settings.database_url:
        return asyncio.run(_look(settings.database_url, "own"))
    if postmaster.answers(settings.data_dir / "postgres"):
        return asyncio.run(_look(postmaster.url(settings.data_dir / "postgres"), "embedded"))
    if is_kept(settings.data_dir):
        raise Problem(
            "the embedded PostgreSQL does not answer, though the server runs; it starts it again, see its log."
        )
    raise NotChecked("the embedded PostgreSQL does not run; `addtocrm serve` starts it")


async def _look(url: str, kind: str) -> str:
    if not await is_up_to_date(url):
        raise Problem("the database has an older schema; `addtocrm db migrate`, or the next start of the server.")
    pool = await open_pool(url, size=1)
    try:
        version = await pool.fetchval("select current_setting('server_version')")
        people = await pool.fetchval("select count(*) from people")
        companies = await pool.fetchval("select count(*) from companies")
    finally:
        await pool.close()
    hint = "" if people else " (`addtocrm import people FILE` brings some)"
    return f"{kind} PostgreSQL {version}, {people:,} people{hint}, {companies:,} companies"


def _secret_key(settings: Settings) -> str:
    """Whether what is sealed in the database opens with the key file of this host."""
    sealed, closed = asyncio.run(_sealed(_answering(settings), settings))
    if closed:
        raise Problem(
            f"{closed} of {sealed} CRM tokens do not open with {settings.data_dir / FILE}; bring that of the other "
            "hosts, or of the backup, here."
        )
    return f"{settings.data_dir / FILE} opens what is sealed in the database"


def _answering(settings: Settings) -> str:
    """The URL of the database. Raises NotChecked where the embedded one does not answer."""
    if not settings.database_url and not postmaster.answers(settings.data_dir / "postgres"):
        raise NotChecked("the database does not answer")
    return settings.database_url or postmaster.url(settings.data_dir / "postgres")


async def _sealed(url: str, settings: Settings) -> tuple[int, int]:
    if not await is_up_to_date(url):
        raise NotChecked("the database has an older schema")
    await suppressions.session(url, settings.data_dir)
    pool = await open_pool(url, size=1)
    try:
        return await connections.sealed(pool, settings)
    finally:
        await pool.close()


def _search(settings: Settings) -> str:
    """How far the search index of this host follows the people."""
    current = folder.current(settings.data_dir / folder.NAME)
    if current is None:
        return "none on this host yet; `addtocrm serve` builds it"
    missing = asyncio.run(_behind(_answering(settings), settings.data_dir / folder.NAME))
    try:
        people = Reader(settings.data_dir).count()
        if not damage.is_sound(current):
            raise NotReady
    except NotReady:
        raise Problem("it is damaged; a running server rebuilds it; or run `addtocrm search rebuild`") from None
    if missing > MOST_BEHIND:
        raise Problem(f"it has {people:,} people and is {missing:,} changes behind; is `addtocrm serve` running?")
    return f"{people:,} people" + (f", {missing:,} changes behind" if missing else "")


async def _behind(url: str, root: Path) -> int:
    if not await is_up_to_date(url):
        raise NotChecked("the database has an older schema")
    pool = await open_pool(url, size=1)
    try:
        return await behind(pool, root)
    finally:
        await pool.close()


def _crms(settings: Settings) -> str:
    """Asks every CRM that an account has connected whether it takes our access."""
    asked, troubles = asyncio.run(_asked(_answering(settings), settings))
    if troubles:
        raise Problem("; ".join(troubles))
    return (
        f"{asked} connections to CRMs work" if asked else "no account is connected to another CRM than the built-in one"
    )


async def _asked(url: str, settings: Settings) -> tuple[int, list[str]]:
    if not await is_up_to_date(url):
        raise NotChecked("the database has an older schema")
    async with opened(url, settings) as setup:
        rows = await connections.outside(setup.pool)
        found = [(email, *one) for email, id in rows for one in await connections.check(setup, id)]
    return len(found), [f"{email}: {crm.name}: {trouble}" for email, crm, trouble in found if trouble]


def _valkey(settings: Settings) -> str:
    if not settings.valkey_url:
        return "none: rate limits are counted in the one worker"
    client = cast(Any, Valkey).from_url(valkeys.address(settings.valkey_url), socket_timeout=2)
    client.ping()
    return "answers"


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
