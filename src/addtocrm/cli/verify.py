"""addtocrm verify"""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.types import ExistingFile

from addtocrm.cli import files
from addtocrm.cli.files import Told, Work
from addtocrm.core.cells import cell
from addtocrm.core.errors import invalid
from addtocrm.jobs.model import JobResult
from addtocrm.lookups import columns
from addtocrm.lookups.emails import batch
from addtocrm.lookups.emails.model import EMAIL_COLUMNS, LONGEST

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
    header = files.header(file)
    place = columns.place(header, "column", column, EMAIL_COLUMNS)
    if place is None:
        has = columns.listed(header)
        raise invalid("column", f"there is no column named email; the file has {has}. Name it with --column.")

    def item(row: list[str]) -> str | None:
        return columns.text(row, place, LONGEST) or None

    work = Work("verify", "verified", RESULT_COLUMNS, item, batch.submit, _told)
    return files.fill(file, work, account=account, output=output, json=json)


def _told(result: JobResult) -> Told:
    if result.data is None:
        return Told(None, ["", files.failure(result).type, *[""] * (len(RESULT_FIELDS) - 2)])
    return Told(result.data["result"], [cell(result.data[field]) for field in RESULT_FIELDS])
