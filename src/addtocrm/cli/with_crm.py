"""What commands that reach a CRM run with.

Not in `database`: metrics come with it, and `serve` decides before they are imported where they are counted.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from addtocrm.cli.database import database
from addtocrm.core import logs
from addtocrm.core import settings as settings_module
from addtocrm.crm.setup import Setup, opened

T = TypeVar("T")


def with_crm(work: Callable[[Setup], Awaitable[T]]) -> T:
    """Runs `work` with what CRM work needs, on the database of the settings, and gives its result."""
    settings = settings_module.load()
    logs.configure(settings.log_level, pretty=sys.stderr.isatty())

    async def run(url: str) -> T:
        async with opened(url, settings) as setup:
            return await work(setup)

    with database(settings) as url:
        return asyncio.run(run(url))
