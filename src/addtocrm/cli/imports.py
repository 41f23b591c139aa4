"""addtocrm import …"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from addtocrm.cli.database import with_pool
from addtocrm.cli.output import emit, err
from addtocrm.core.db.pool import Pool
from addtocrm.sources.dataset import model, service
from addtocrm.sources.dataset.model import ImportResult

app = App(name="import", help="Import people and companies from a file.")

Flag = Annotated[bool, Parameter(negative=())]


@app.command
def people(file: Path, *, restart: Flag = False, json: Flag = False) -> None:
    """Import people from FILE: CSV, JSON lines (also .gz) or Parquet.

    Args:
        file: its columns are AddToCRM's flat names or People Data Labs'
        restart: start over after an earlier run was interrupted
        json: one JSON document instead of text
    """
    _import(lambda pool, report: service.import_people(pool, file, report, restart=restart), json)


@app.command
def companies(file: Path, *, restart: Flag = False, json: Flag = False) -> None:
    """Import companies from FILE: CSV, JSON lines (also .gz) or Parquet.

    Args:
        file: its columns are AddToCRM's flat names or People Data Labs'
        restart: start over after an earlier run was interrupted
        json: one JSON document instead of text
    """
    _import(lambda pool, report: service.import_companies(pool, file, report, restart=restart), json)


def _import(work: Callable[[Pool, service.Report], Awaitable[ImportResult]], json: bool) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[rows]:,} rows, {task.fields[refused]:,} refused"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("import", rows=0, refused=0, total=None)

        def report(progress: model.Progress) -> None:
            bar.update(
                task,
                completed=progress.bytes_done,
                total=progress.bytes_total,
                rows=progress.rows,
                refused=progress.refused,
            )

        result = with_pool(lambda pool: work(pool, report), suppressions=True)
    rate = (result.rows - result.resumed_from) / max(result.seconds, 0.001)
    text = (
        f"{result.rows:,} rows: {result.created:,} new, {result.updated:,} updated, {result.unchanged:,} unchanged, "
        f"{result.refused:,} refused "
        f"in {result.seconds:.1f} s ({rate:,.0f} rows/s)"
    )
    if result.suppressed:
        text += f"\n{result.suppressed:,} rows of people who asked to be forgotten were left out."
    if result.rejected_file:
        text += f"\nRefused rows and why: {result.rejected_file}"
    if result.ignored_columns:
        text += f"\nColumns not understood: {', '.join(result.ignored_columns)}"
    emit(result, json=json, text=text)
