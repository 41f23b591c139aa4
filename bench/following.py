"""The process that keeps the index, without a server around it: `with following(deployment): …`."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from addtocrm.core.db.pool import open_pool
from addtocrm.sources.index import folder, follow
from bench.deployment import Deployment

PROCESS = "import os; from addtocrm.main import index; index.process(os.getppid())"


@contextmanager
def following(deployment: Deployment) -> Iterator[None]:
    """The index is followed from when it has all changes so far."""
    environment = {**deployment.environment, "ADDTOCRM_DATABASE_URL": deployment.url}
    with subprocess.Popen([sys.executable, "-c", PROCESS], env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            wait(deployment)
            yield
        finally:
            process.terminate()


def wait(deployment: Deployment) -> None:
    """Returns once the index has all changes."""

    async def followed() -> None:
        pool = await open_pool(deployment.url, size=1)
        await follow.followed(pool, folder.root(deployment.folder))
        await pool.close()

    asyncio.run(followed())
