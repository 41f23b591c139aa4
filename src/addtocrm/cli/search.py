"""addtocrm search …"""

import time
from typing import Annotated

from cyclopts import App, Parameter
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from addtocrm.cli.database import with_pool
from addtocrm.cli.output import emit, err
from addtocrm.core import settings as settings_module
from addtocrm.core.db.folders import data_folder
from addtocrm.core.errors import ApiError
from addtocrm.sources.index import folder
from addtocrm.sources.index.build import build
from addtocrm.sources.index.folder import Busy

app = App(name="search", help="The index of people search on this host.")


@app.command
def rebuild(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Build the index of this host anew; until it is done, the one before is searched.

    Args:
        json: one JSON document instead of text
    """
    root = folder.root(data_folder(settings_module.load().data_dir))
    began = time.monotonic()
    columns = (TextColumn("index"), BarColumn(), TextColumn("{task.completed:,} people"), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("index", total=None)
        try:
            people = with_pool(
                lambda pool: build(pool, root, lambda done, total: bar.update(task, completed=done, total=total))
            )
        except Busy:
            raise ApiError("validation_error", "The index is being built already; wait until that is done.") from None
    seconds = time.monotonic() - began
    text = f"{people:,} people in {seconds:.1f} s ({people / max(seconds, 0.001):,.0f} a second)"
    emit({"people": people, "seconds": round(seconds, 3)}, json=json, text=text)
