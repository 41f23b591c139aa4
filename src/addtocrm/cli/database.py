"""The database that a command works on: the operator's own, or the embedded one."""

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import asyncpg

from addtocrm.core import logs
from addtocrm.core import settings as settings_module
from addtocrm.core.db import migrations
from addtocrm.core.db.embedded import attach
from addtocrm.core.db.pool import NO_SETTINGS, DatabaseError, Pool, connect, open_pool
from addtocrm.core.settings import Settings
from addtocrm.privacy import service as suppression_list

T = TypeVar("T")

REVISION = re.compile(r'^revision = "(\w+)"', re.MULTILINE)
FOLLOWED = re.compile(r'^down_revision = "(\w+)"', re.MULTILINE)


@contextmanager
def database(settings: Settings, *, migrated: bool = True) -> Iterator[str]:
    """The URL of the database, up and on the newest schema, for as long as the block lasts."""
    if settings.database_url:
        if migrated:
            bring_up_to_date(settings.database_url)
        yield settings.database_url
    else:
        with attach(settings.data_dir) as attachment:
            if migrated:
                bring_up_to_date(attachment.url)
            yield attachment.url


def bring_up_to_date(url: str) -> None:
    """Migrates the database where its schema is not the newest. Raises DatabaseError."""
    if not asyncio.run(is_up_to_date(url)):
        from addtocrm.core.db.migrate import migrate

        migrate(url)


async def is_up_to_date(url: str) -> bool:
    """Whether the database has the newest schema. Raises DatabaseError."""
    return await _version(url) == _newest()


async def _version(url: str) -> str | None:
    try:
        connection = await connect(url)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise DatabaseError(f"The database of ADDTOCRM_DATABASE_URL does not answer: {error}") from None
    try:
        return await connection.fetchval("select version_num from alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()


def _newest() -> str:
    """The revision that none follows; Alembic would say it too, but takes longer to import than a command to run."""
    files = (Path(migrations.__path__[0]) / "versions").glob("[0-9]*.py")
    texts = [file.read_text("utf-8") for file in files]
    revisions, followed = ({found for text in texts for found in which.findall(text)} for which in (REVISION, FOLLOWED))
    (newest,) = revisions - followed
    return newest


def with_pool(work: Callable[[Pool], Awaitable[T]], *, suppressions: bool = False) -> T:
    """Runs `work` on the database of the settings, and gives its result; `suppressions` for one that reads the
    suppression list."""
    settings = settings_module.load()
    logs.configure(settings.log_level, pretty=sys.stderr.isatty())

    async def run(url: str) -> T:
        session = await suppression_list.session(url, settings.data_dir) if suppressions else NO_SETTINGS
        pool = await open_pool(url, size=4, session=session)
        try:
            return await work(pool)
        finally:
            await pool.close()

    with database(settings) as url:
        return asyncio.run(run(url))
