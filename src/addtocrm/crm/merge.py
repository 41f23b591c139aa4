"""What a write changes in a record that is already there."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

OnConflict = Literal["fill_empty", "overwrite", "skip"]


class Merge(NamedTuple):
    """`write` are the values to write; `kept` the fields whose other value stays, in the order given."""

    write: dict[str, Any]
    kept: list[str]


def is_empty(value: Any) -> bool:
    """Whether a field with this value says nothing. 0 and False say something."""
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def merge(existing: Mapping[str, Any], incoming: Mapping[str, Any], on_conflict: OnConflict) -> Merge:
    """The outcome of writing `incoming` over `existing`.

    An empty incoming value says nothing: it changes no field and is not among `kept`. An equal one needs no
    writing. `fill_empty` writes where the record is empty, `overwrite` everywhere, `skip` nowhere.
    """
    write: dict[str, Any] = {}
    kept: list[str] = []
    for name, value in incoming.items():
        there = existing.get(name)
        if is_empty(value) or there == value:
            continue
        if on_conflict == "overwrite" or (on_conflict == "fill_empty" and is_empty(there)):
            write[name] = value
        else:
            kept.append(name)
    return Merge(write, kept)
