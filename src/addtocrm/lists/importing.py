"""Putting the people of a CSV file on a list: each row that can be is, of the others it is said why."""

import asyncio
from collections.abc import Iterator
from typing import Any

import msgspec

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.errors import ApiError, Detail, invalid
from addtocrm.crm.model import PersonInput
from addtocrm.lists import service
from addtocrm.lookups import columns
from addtocrm.lookups.people import rows
from addtocrm.sources.dataset.delimited import Line
from addtocrm.sources.dataset.text import storable

MOST_ROWS = 10_000
AT_ONCE = 500
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
    people, done = await asyncio.to_thread(_read, file)
    async with pool.acquire() as connection, connection.transaction():
        for first in range(0, len(people), AT_ONCE):
            await _add(connection, caller, id, people[first : first + AT_ONCE], done)
    return done


def _read(file: bytes) -> tuple[list[tuple[int, PersonInput]], Imported]:
    """The people of a file, each with its line, and what of it is refused; in a thread, for there may be many."""
    read = columns.table_of(file)
    places = rows.places_of(read.header)
    if not any(places[what] is not None for what in ("linkedin", "email", "name", "first-name", "last-name")):
        there = storable(columns.listed(read.header))[:500]
        raise invalid("file", f"has no column of LinkedIn URLs, emails or names. Its columns are: {there}.")
    known = {FIELDS[what]: (place, rows.LONGEST[what]) for what, place in places.items()}
    known |= {name: (columns.place(read.header, name, None, usual), 200) for name, usual in MORE.items()}
    done = Imported()
    people: list[tuple[int, PersonInput]] = []
    for row in _bounded(read.rows, done):
        if row.error:
            done.refuse(row.number, f"{row.error[:1].upper()}{row.error[1:]}.")
            continue
        given: dict[str, Any] = {
            name: text for name, (place, longest) in known.items() if (text := columns.text(row.values, place, longest))
        }
        person = PersonInput(**given)
        try:
            service.check(person)
        except ApiError as error:
            done.refuse(row.number, _reason(error.details[0]))
        else:
            people.append((row.number, person))
    return people, done


def _bounded(lines: Iterator[Line], done: Imported) -> Iterator[Line]:
    for count, line in enumerate(columns.rows(lines, MOST_ROWS), 1):
        if count > MOST_ROWS:
            done.refuse(line.number, f"A file may have {MOST_ROWS:,} rows. Import the rest by another.")
            return
        yield line


async def _add(
    connection: Connection, caller: Caller, id: str, people: list[tuple[int, PersonInput]], done: Imported
) -> None:
    """Adds all but those who asked to be forgotten."""
    while people:
        try:
            added = await service.add_within(connection, caller, id, [person for _, person in people])
        except ApiError as error:
            place = error.details[0].path.removeprefix("people[").partition("]")[0] if error.details else ""
            if not place.isdigit():
                raise
            line, _ = people.pop(int(place))
            done.refuse(line, "This person asked to be forgotten.")
        else:
            done.added += added.added
            done.existing += added.existing
            return


def _reason(detail: Detail) -> str:
    field = {"linkedin_url": "The LinkedIn URL", "email": "The email"}.get(detail.path.lstrip("."), "The row")
    return f"{field} {detail.message}"
