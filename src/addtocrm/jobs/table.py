"""A job's results as a table: one row an item, one column for each field of the answers."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, cast

import msgspec

from addtocrm.core.cells import lines
from addtocrm.jobs.model import JobResult

FIRST = ("position", "status", "input")
LAST = ("cached", "credits_deducted", "error_type", "error_message")

Pages = Callable[[], AsyncIterator[Sequence[JobResult]]]


async def table(pages: Pages) -> AsyncIterator[bytes]:
    """CSV (RFC 4180) in UTF-8, a chunk a page; the pages are read twice, the first time for the names of the columns.

    Fields of inner objects are columns with a dot in their name, lists of texts are joined with `; `, what is deeper is
    JSON.
    """
    names: dict[str, None] = {}
    async for page in pages():
        for result in page:
            names |= dict.fromkeys(_flat(result.data))
    columns = list(names)
    yield lines([(*FIRST, *columns, *LAST)])
    async for page in pages():
        yield lines(_row(result, columns) for result in page)


def _row(result: JobResult, columns: Sequence[str]) -> Sequence[Any]:
    fields = _flat(result.data)
    if not fields.keys() <= set(columns):  # It ended since the columns were read: it is told as it was then.
        fields, result = {}, JobResult(result.position, "pending", result.input, None, None)
    error = (result.error.type, result.error.message) if result.error else (None, None)
    asked = result.input if isinstance(result.input, str) else msgspec.json.encode(result.input).decode()
    values = (result.position, result.status, asked, *(fields.get(name) for name in columns))
    return (*values, result.cached, result.credits_deducted, *error)


def _flat(data: Any) -> dict[str, Any]:
    """The columns of one answer."""
    if not isinstance(data, dict):
        return {} if data is None else {"data": _plain(data)}
    flat: dict[str, Any] = {}
    for name, value in cast(dict[str, Any], data).items():
        inner = cast(dict[str, Any], value) if isinstance(value, dict) else {}
        if inner and not any(isinstance(one, dict | list) for one in inner.values()):
            flat |= {f"{name}.{field}": one for field, one in inner.items()}
        else:
            flat[name] = _plain(value)
    return flat


def _plain(value: Any) -> Any:
    """A value that a cell can hold."""
    if isinstance(value, list) and all(isinstance(one, str) for one in cast(list[Any], value)):
        return cast(list[str], value)
    return msgspec.json.encode(value).decode() if isinstance(value, dict | list) else value
