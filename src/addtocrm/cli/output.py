"""What commands print: tables and sentences for people, one JSON document for scripts."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, cast

import asyncpg
import cyclopts
import msgspec
from rich.console import Console
from rich.table import Table

from addtocrm.cli import signals
from addtocrm.core.db.backup import BackupError
from addtocrm.core.db.folders import EmbeddedError
from addtocrm.core.db.pool import DatabaseError
from addtocrm.core.errors import ApiError
from addtocrm.core.secrets import SecretError
from addtocrm.core.settings import SettingsError

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

FAILURES = (ApiError, SettingsError, EmbeddedError, DatabaseError, BackupError, SecretError, OSError)
UNEXPECTED = "This should not have happened; ADDTOCRM_LOG_LEVEL=debug shows where it did."


def emit(document: Any, *, json: bool, text: str = "") -> None:
    """Prints one JSON document with `--json`, else `text` (or the document as a table)."""
    if json:
        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    elif text:
        out.print(text, markup=False, soft_wrap=True)
    else:
        out.print(_table(msgspec.to_builtins(document)))


def _table(document: Any) -> Table | str:
    """One document as a column of its fields, several as rows."""
    if isinstance(document, dict):
        table = Table(show_header=False)
        for name, value in cast(dict[str, Any], document).items():
            table.add_row(name, _cell(value))
        return table
    rows = cast(list[dict[str, Any]], document)
    if not rows:
        return "none"
    table = Table(*rows[0].keys())
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    return table


def _cell(value: Any) -> str:
    return ", ".join(cast(list[str], value)) if isinstance(value, list) else str(value)


@contextmanager
def failing() -> Iterator[None]:
    """Turns what a command raises into a line on standard error and the exit code: 2 for usage, 128 and more for a
    signal, else 1."""
    try:
        yield
    except cyclopts.CycloptsError as error:
        _end(str(error), 2)
    except FAILURES as error:
        _end(str(error), 1)
    except asyncpg.PostgresError as error:
        _end(f"the database failed: {error}", 1)
    except KeyboardInterrupt:
        sys.exit(signals.exit_code())
    except Exception as error:
        if os.environ.get("ADDTOCRM_LOG_LEVEL") == "debug":
            raise
        _end(f"{type(error).__name__}. {UNEXPECTED}", 1)


def _end(message: str, code: int) -> NoReturn:
    err.print(f"addtocrm: {message}", markup=False, style="red", soft_wrap=True)
    sys.exit(code)
