"""What `addtocrm verify` and `addtocrm enrich` share: the rows of a CSV file, with columns that jobs find out. Cells
beyond the header stay, in columns without a name."""

import asyncio
import csv
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar
from uuid import uuid4

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from addtocrm.cli.children import Child
from addtocrm.cli.database import database
from addtocrm.cli.output import emit, err
from addtocrm.core import logs
from addtocrm.core import settings as settings_module
from addtocrm.core.caller import Caller
from addtocrm.core.db.files import replacing
from addtocrm.core.db.pool import Pool, open_pool
from addtocrm.core.errors import ItemError, invalid
from addtocrm.core.settings import Settings
from addtocrm.jobs import service as jobs
from addtocrm.jobs.model import Job, JobResult
from addtocrm.sources.dataset.delimited import Table, table
from addtocrm.sources.index import folder
from addtocrm.sources.index.follow import followed
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.accounts.model import Account

T = TypeVar("T")

ROWS_A_JOB = 10_000
RESULTS_A_PAGE = 1_000
POLL_SECONDS = 0.25
NOT_DONE = "The job ended before this row was done. Run the command again."


class Told(NamedTuple):
    """What came of a row: the word that it is counted under, None where it failed, and its cells."""

    word: str | None
    cells: list[str]


class Work(NamedTuple, Generic[T]):
    """What a command does for each row of a file."""

    verb: str
    """As in `verify`."""
    done: str
    """As in `verified`, which is in the name of the new file."""
    columns: Sequence[str]
    """The columns that are added; those of the file that are called so are left out."""
    item: Callable[[list[str]], T | None]
    """What a job is asked about a row with these values; None: nothing, and the row's new cells stay empty."""
    submit: Callable[[Pool, Caller, Sequence[T]], Awaitable[Job]]
    told: Callable[[JobResult], Told]
    searches: bool = False
    """Whether it needs the search index of this host, which is then brought up to date before."""


class Done(msgspec.Struct):
    """What came of a file; each row that did not fail is counted in `results`, but for those without an item."""

    file: str
    rows: int = 0
    results: Counter[str] = msgspec.field(default_factory=Counter[str])
    failed: int = 0
    credits_deducted: int = 0


def header(file: Path) -> list[str]:
    """The names of a file's columns."""
    with file.open("rb") as binary:
        return table(binary).header


def failure(result: JobResult) -> ItemError:
    """Why an item has no data."""
    return result.error or ItemError(result.status, NOT_DONE)


def fill(file: Path, work: Work[T], *, account: str | None, output: Path | None, json: bool) -> int:
    """Writes the rows of `file` with the columns of `work` to `output`, and says what came of them; gives the exit
    code, 1 where a row failed. `account` is the address of the one that pays. Raises ApiError."""
    output = output or file.with_name(f"{file.stem}.{work.done}.csv")
    if output.resolve() == file.resolve():
        raise invalid("output", "is FILE itself; name another file.")
    settings = settings_module.load()
    logs.configure(settings.log_level, pretty=sys.stderr.isatty())
    with file.open("rb") as binary:
        total, width = _size(table(binary))
    with database(settings) as url, file.open("rb") as binary:
        os.environ["ADDTOCRM_DATABASE_URL"] = url
        processes = [Child("jobs"), *([Child("index")] if work.searches else [])]
        for process in processes:
            process.start()
        try:
            done = asyncio.run(_fill(settings, url, account, table(binary), work, output, total, width))
        finally:
            for process in processes:
                process.stop()
    counts = ", ".join(f"{count:,} {word.replace('_', ' ')}" for word, count in done.results.most_common())
    said = f"{done.rows:,} rows ({counts or f'nothing to {work.verb}'}), {done.credits_deducted:,} credits: {output}"
    if done.failed:
        said += f"\n{done.failed:,} rows could not be {work.done}; their reason is in the file."
    emit(done, json=json, text=said)
    return 1 if done.failed else 0


async def _fill(
    settings: Settings,
    url: str,
    email: str | None,
    source: Table,
    work: Work[T],
    output: Path,
    total: int,
    width: int,
) -> Done:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    done = Done(str(output))
    pool = await open_pool(url, size=4)
    try:
        account = await (accounts.find(pool, email) if email else accounts.only(pool))
        with (
            replacing(output) as part,
            part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as out,
            Progress(*columns, console=err, transient=True) as bar,
        ):
            task = bar.add_task(work.verb, total=total)
            if work.searches:
                await followed(pool, settings.data_dir / folder.NAME)
            writer = csv.writer(out, delimiter=source.delimiter, lineterminator="\n")
            names = [*source.header, *[""] * (width - len(source.header))]
            kept = [index for index, name in enumerate(names) if name not in work.columns]
            writer.writerow([*(names[index] for index in kept), *work.columns])
            for rows in _chunks(source):
                begun = done.rows

                def advance(count: int, begun: int = begun) -> None:
                    bar.update(task, completed=begun + count)

                items = [work.item(row) for row in rows]
                results = _results(pool, account, work, [item for item in items if item is not None], advance)
                for row, item in zip(rows, items, strict=True):
                    result = None if item is None else await anext(results)
                    cells = [row[index] if index < len(row) else "" for index in kept]
                    writer.writerow([*cells, *_cells(done, work, result)])
                out.flush()
    finally:
        await pool.close()
    return done


def _size(source: Table) -> tuple[int, int]:
    """How many rows a file has, and how many columns: beyond the header those in which a row has something."""
    total, width = 0, len(source.header)
    for row in source.rows:
        total += 1
        width = max(
            (place for place, value in enumerate(row.values[width:], width + 1) if value.strip()), default=width
        )
    return total, width


def _chunks(source: Table) -> Iterator[list[list[str]]]:
    while rows := list(islice(source.rows, ROWS_A_JOB)):
        yield [row.values for row in rows if row.values]


async def _results(
    pool: Pool, account: Account, work: Work[T], items: Sequence[T], advance: Callable[[int], None]
) -> AsyncIterator[JobResult]:
    """The result of each item, in their order, once a job has done them all. Cancels the job when it is interrupted."""
    caller = Caller(account.id, "operator", str(uuid4()))
    job = await work.submit(pool, caller, items)
    try:
        while job.status in ("queued", "running"):
            await asyncio.sleep(POLL_SECONDS)
            job = await jobs.get(pool, account.id, job.id)
            advance(job.succeeded + job.failed)
    except (asyncio.CancelledError, KeyboardInterrupt):
        await jobs.cancel(pool, caller, job.id)
        raise
    cursor: str | None = None
    while True:
        page, cursor = await jobs.results(pool, account.id, job.id, cursor, RESULTS_A_PAGE)
        for result in page:
            yield result
        if cursor is None:
            return


def _cells(done: Done, work: Work[T], result: JobResult | None) -> list[str]:
    """The new cells of a row, which is counted in `done`."""
    done.rows += 1
    if result is None:
        return [""] * len(work.columns)
    told = work.told(result)
    if told.word is None:
        done.failed += 1
    else:
        done.results[told.word] += 1
    done.credits_deducted += result.credits_deducted or 0
    return told.cells
