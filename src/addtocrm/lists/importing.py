"""Putting the people of a CSV file on a list: each row that can be is, of the others it is said why."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, Detail, invalid
from addtocrm.crm.model import PersonInput
from addtocrm.lists import service
from addtocrm.lists.adding import Candidate, Forgotten, adding, candidate, known_members
from addtocrm.lookups import columns
from addtocrm.lookups.people import rows as who
from addtocrm.privacy.service import all_suppressed
from addtocrm.sources.dataset.delimited import Line
from addtocrm.sources.dataset.text import storable

MOST_ROWS = 10_000
TOLD = 100
"""So many rows that were refused are told one by one."""
MORE = {"job_title": ("job title", "title", "position"), "phone": ("phone", "phone number", "mobile phone", "mobile")}
"""Columns that are taken beside those that say who is meant."""
FIELDS = {
    "linkedin": "linkedin_url",
    "email": "email",
    "name": "full_name",
    "first-name": "first_name",
    "last-name": "last_name",
    "company": "company_name",
    "domain": "company_domain",
}
Row: TypeAlias = tuple[int, Candidate]
"""Somebody, with the line in the file."""


class Refused(msgspec.Struct, frozen=True):
    """A row that was not taken, by its line in the file."""

    line: int
    reason: str


class Imported(msgspec.Struct):
    """What came of a file; `existing` were on the list already, or were in the file before."""

    added: int = 0
    existing: int = 0
    refused: int = 0
    reasons: list[Refused] = msgspec.field(default_factory=list[Refused])

    def refuse(self, line: int, reason: str) -> None:
        self.refused += 1
        if len(self.reasons) < TOLD:
            self.reasons.append(Refused(line, reason))


async def import_csv(pool: Pool, caller: Caller, id: str, file: bytes) -> Imported:
    """Puts the people of a file on a list, all at once or, where that fails, nobody. Raises ApiError `not_found`, and
    for a file without a column that says who is meant."""
    await service.get(pool, caller.account_id, id)
    rows, done = await asyncio.to_thread(_read, file)
    known = await known_members(pool, id, [one for _, one in rows])
    gone: Sequence[int] = await all_suppressed(pool, [one.about for _, one in rows])
    while True:
        rows = _without(gone, rows, done)
        try:
            async with adding(pool, caller, id, [one for _, one in rows], known) as (_, added):
                pass
        except Forgotten as error:
            gone = error.places
        else:
            done.added, done.existing = added.fresh, len(rows) - added.fresh
            return done


def _without(gone: Sequence[int], rows: list[Row], done: Imported) -> list[Row]:
    """The rows but those at the places of people who asked to be forgotten."""
    for place in gone:
        done.refuse(rows[place][0], "This person asked to be forgotten.")
    left_out = set(gone)
    return [row for place, row in enumerate(rows) if place not in left_out]


def _read(file: bytes) -> tuple[list[Row], Imported]:
    """The people of a file, each with its line, and what of it is refused; in a thread, for there may be many."""
    read = columns.table_of(file)
    places = who.places_of(read.header)
    if not any(places[what] is not None for what in ("linkedin", "email", "name", "first-name", "last-name")):
        there = storable(columns.listed(read.header))[:500]
        raise invalid("file", f"has no column of LinkedIn URLs, emails or names. Its columns are: {there}.")
    known = {FIELDS[what]: (place, who.LONGEST[what]) for what, place in places.items()}
    known |= {name: (columns.place(read.header, name, None, usual), 200) for name, usual in MORE.items()}
    done = Imported()
    people: list[Row] = []
    for row in _bounded(read.rows, done):
        if row.error:
            done.refuse(row.number, f"{row.error[:1].upper()}{row.error[1:]}.")
            continue
        given: dict[str, Any] = {
            name: text for name, (place, longest) in known.items() if (text := columns.text(row.values, place, longest))
        }
        try:
            people.append((row.number, candidate(PersonInput(**given), "")))
        except ApiError as error:
            done.refuse(row.number, _reason(error.details[0]))
    return people, done


def _bounded(lines: Iterator[Line], done: Imported) -> Iterator[Line]:
    for count, line in enumerate(columns.rows(lines, MOST_ROWS), 1):
        if count > MOST_ROWS:
            done.refuse(line.number, f"A file may have {MOST_ROWS:,} rows. Import the rest by another.")
            return
        yield line


def _reason(detail: Detail) -> str:
    field = {"linkedin_url": "The LinkedIn URL", "email": "The email"}.get(detail.path.lstrip("."), "The row")
    return f"{field} {detail.message}"
