"""Cells of the CSV files that people open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def cell(value: str | list[str] | float | bool | None) -> str:
    """One cell; lists are joined with `; `, nothing is the empty text.

    A text that a spreadsheet would take for a formula gets a `'` before it (OWASP, "CSV Injection").
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = "; ".join(value) if isinstance(value, list) else value
    return f"'{text}" if text.startswith(FORMULA) else text


def without_mark(text: str) -> str:
    """The text of a cell without the `'` that `cell` puts before a formula."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def lines(rows: Iterable[Iterable[Any]]) -> bytes:
    """Rows as lines of a CSV file (RFC 4180) in UTF-8."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([cell(value) for value in row] for row in rows)
    return text.getvalue().encode()
