"""addtocrm db …"""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from addtocrm.cli.database import database
from addtocrm.cli.output import emit
from addtocrm.core import settings as settings_module
from addtocrm.core.db import backup as backups
from addtocrm.privacy import service as suppression_list

app = App(name="db", help="Migrate, back up and restore the database.")


@app.command
def migrate(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Bring the database to the newest schema."""
    with database(settings_module.load()):
        emit({"migrated": True}, json=json, text="The database has the newest schema.")


@app.command
def backup(file: Path, *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Write the whole database to FILE; the service may go on meanwhile."""
    with database(settings_module.load()) as url:
        backups.backup(url, file)
    emit({"file": str(file), "bytes": file.stat().st_size}, json=json, text=f"Backed up to {file}.")


@app.command
def restore(
    file: Path,
    *,
    replace: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Read a backup into an empty database.

    Args:
        file: what `addtocrm db backup` wrote
        replace: replace what the database holds now
        json: one JSON document instead of text
    """
    settings = settings_module.load()
    with database(settings, migrated=False) as url:
        backups.restore(url, file, replace=replace)
    with database(settings) as url:
        removed = asyncio.run(suppression_list.after_restore(url, settings.data_dir))
    text = f"Restored from {file}."
    if removed:
        text += f" People who asked to be forgotten were taken out of {removed} rows again."
    emit({"file": str(file), "restored": True, "forgotten_rows": removed}, json=json, text=text)
