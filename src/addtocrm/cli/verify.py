"""addtocrm verify"""

import asyncio
import csv
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import msgspec
from cyclopts import Parameter
from cyclopts.types import ExistingFile
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from addtocrm.cli.children import Child
from addtocrm.cli.database import database
from addtocrm.cli.output import emit, err
from addtocrm.core import logs
from addtocrm.core import settings as settings_module
from addtocrm.core.caller import Caller
from addtocrm.core.cells import cell
from addtocrm.core.db.files import replacing
from addtocrm.core.db.pool import Pool, open_pool
from addtocrm.core.errors import invalid
from addtocrm.jobs import service as jobs
from addtocrm.jobs.model import Job, JobResult
from addtocrm.lookups.emails import batch
from addtocrm.sources.dataset.delimited import Table, table
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.accounts.model import Account

ROWS_A_JOB = 10_000
POLL_SECONDS = 0.25
EMAIL_COLUMNS = ("email", "e-mail", "email_address", "email address", "e-mail address", "work_email", "work email")
RESULT_FIELDS = (
    "result",
    "reason",
    "score",
    "did_you_mean",
    "is_catch_all",
    "is_disposable",
    "is_free",
    "is_role",
    "mail_provider",
    "checked_at",
)
RESULT_COLUMNS = tuple(f"email_{field}" for field in RESULT_FIELDS)


class Verified(msgspec.Struct):
    """What came of a file; `failed` rows have the error's type as their reason."""

    file: str
    rows: int = 0
    results: Counter[str] = msgspec.field(default_factory=Counter[str])
    failed: int = 0
    credits_deducted: int = 0


def verify(
    file: ExistingFile,
    *,
    account: str | None = None,
    column: str | None = None,
    output: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Verify the email addresses of a CSV file.

    Writes FILE.verified.csv, the same rows with the result columns.

    Each address costs a credit once in 30 days; `unknown` and what is no address are free. A run that was
    interrupted can be started again: what is known already is not asked or paid again.

    Args:
        file: a CSV file, separated by commas, semicolons or tabs
        account: the account that pays; may be left out where there is only one
        column: the column of the addresses; the one named email, or alike, by default
        output: where to write
        json: one JSON document instead of text
    """
    output = output or file.with_name(f"{file.stem}.verified.csv")
    if output.resolve() == file.resolve():
        raise invalid("output", "is FILE itself; name another file.")
    settings = settings_module.load()
    logs.configure(settings.log_level, pretty=sys.stderr.isatty())
    with file.open("rb") as binary:
        total = sum(1 for _ in table(binary).rows)
    with database(settings) as url, file.open("rb") as binary:
        source = table(binary)
        place = _place(source.header, column)
        os.environ["ADDTOCRM_DATABASE_URL"] = url
        process = Child("jobs")
        process.start()
        try:
            done = asyncio.run(_verify(url, account, source, place, output, total))
        finally:
            process.stop()
    counts = ", ".join(f"{count:,} {result}" for result, count in done.results.most_common())
    text = f"{done.rows:,} rows ({counts or 'none with an address'}), {done.credits_deducted:,} credits: {output}"
    if done.failed:
        text += f"\n{done.failed:,} rows could not be verified; their reason is in the file."
    emit(done, json=json, text=text)
    return 1 if done.failed else 0


def _place(header: list[str], column: str | None) -> int:
    """Which column has the addresses. Raises ApiError."""
    names = [name.strip().lower() for name in header]
    for name in (column.strip().lower(),) if column else EMAIL_COLUMNS:
        if name in names:
            return names.index(name)
    wanted = f"no column {column}" if column else "no column named email"
    raise invalid("column", f"there is {wanted}; the file has {', '.join(header) or 'none'}. Name it with --column.")


async def _verify(url: str, email: str | None, source: Table, place: int, output: Path, total: int) -> Verified:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    verified = Verified(str(output))
    pool = await open_pool(url, size=4)
    try:
        account = await (accounts.find(pool, email) if email else accounts.only(pool))
        with (
            replacing(output) as part,
            part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as out,
            Progress(*columns, console=err, transient=True) as bar,
        ):
            task = bar.add_task("verify", total=total)
            writer = csv.writer(out, delimiter=source.delimiter, lineterminator="\n")
            kept = [index for index, name in enumerate(source.header) if name not in RESULT_COLUMNS]
            writer.writerow([*(source.header[index] for index in kept), *RESULT_COLUMNS])
            for rows in _chunks(source):
                begun = verified.rows

                def advance(done: int, begun: int = begun) -> None:
                    bar.update(task, completed=begun + done)

                found = await _results(pool, account, [_cell(row, place) for row in rows], advance)
                for row, result in zip(rows, found, strict=True):
                    cells = [row[index] if index < len(row) else "" for index in kept]
                    writer.writerow([*cells, *_cells(result)])
                    _count(verified, result)
                out.flush()
    finally:
        await pool.close()
    return verified


def _chunks(source: Table) -> Iterator[list[list[str]]]:
    while rows := list(islice(source.rows, ROWS_A_JOB)):
        yield [row.values for row in rows if row.values]


def _cell(row: list[str], place: int) -> str:
    text = row[place].strip() if place < len(row) else ""
    return text.encode("utf-8", "replace").decode().replace("\0", "?")[:1000]


async def _results(
    pool: Pool, account: Account, addresses: list[str], advance: Callable[[int], None]
) -> list[JobResult | None]:
    """The result for each address, in their order; None for an empty one. Cancels its job when it is interrupted."""
    asked = [address for address in addresses if address]
    if not asked:
        return [None] * len(addresses)
    caller = Caller(account.id, "operator", str(uuid4()))
    job = await batch.submit(pool, caller, asked)
    try:
        while job.status in ("queued", "running"):
            await asyncio.sleep(POLL_SECONDS)
            job = await jobs.get(pool, account.id, job.id)
            advance(job.succeeded + job.failed)
    except (asyncio.CancelledError, KeyboardInterrupt):
        await jobs.cancel(pool, caller, job.id)
        raise
    found = _pages(pool, account, job)
    return [await anext(found) if address else None for address in addresses]


async def _pages(pool: Pool, account: Account, job: Job) -> AsyncIterator[JobResult]:
    cursor: str | None = None
    while True:
        page, cursor = await jobs.results(pool, account.id, job.id, cursor, 1000)
        for result in page:
            yield result
        if cursor is None:
            return


def _cells(result: JobResult | None) -> list[str]:
    if result is None:
        return [""] * len(RESULT_FIELDS)
    if result.data is None:
        return ["", result.error.type if result.error else result.status, *[""] * (len(RESULT_FIELDS) - 2)]
    return [cell(result.data[field]) for field in RESULT_FIELDS]


def _count(verified: Verified, result: JobResult | None) -> None:
    verified.rows += 1
    if result is None:
        return
    if result.data is None:
        verified.failed += 1
    else:
        verified.results[result.data["result"]] += 1
        verified.credits_deducted += result.credits_deducted or 0
