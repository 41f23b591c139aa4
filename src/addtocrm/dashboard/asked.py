"""Who is meant by what people paste or upload."""

from typing import Any

import msgspec

from addtocrm.core.errors import ApiError
from addtocrm.core.matching.names import given_and_family
from addtocrm.lookups import columns
from addtocrm.lookups.emails.model import EMAIL_COLUMNS, LONGEST, VerifyEmail
from addtocrm.lookups.people import rows
from addtocrm.lookups.people.model import EnrichPerson
from addtocrm.sources.dataset.text import storable

MOST = 10_000


class Pasted(msgspec.Struct, frozen=True):
    """A field of lines, beside which a file may come."""

    lines: str = ""
    refresh: bool = False


def people_of(text: str, file: bytes | None) -> list[EnrichPerson]:
    """Who is meant by each line of the text and each row of the file, which has columns that say so, or else lines as
    the text has them. Raises ApiError for none, and for too many."""
    found = [asked_of(line) for line in lines_of(text)]
    if file:
        read = columns.table_of(file)
        places = rows.places_of(read.header)
        if rows.say_who(places):
            given = (rows.who(row.values, places) for row in columns.rows(read.rows, MOST))
            found += [msgspec.convert(who, EnrichPerson) for who in given if who]
        else:
            found += [asked_of(line) for line in lines_of(_text(file))]
    return _some(found, "people, each on a line of its own")


def addresses_of(text: str, file: bytes | None) -> list[VerifyEmail]:
    """The address on each line of the text and in each row of the file, which has a column of them, or else nothing
    more. Raises ApiError for none, and for too many."""
    found = lines_of(text)
    if file:
        read = columns.table_of(file)
        place = columns.place(read.header, "file", None, EMAIL_COLUMNS)
        if place is None:
            found += lines_of(_text(file))
        else:
            found += filter(None, (columns.text(row.values, place, LONGEST) for row in columns.rows(read.rows, MOST)))
    return [VerifyEmail(one[:LONGEST]) for one in _some(found, "email addresses, each on a line of its own")]


def lines_of(text: str) -> list[str]:
    """The lines that say something, each once."""
    return list(dict.fromkeys(storable(line.strip())[:2000] for line in text.splitlines() if line.strip()))


def asked_of(line: str) -> EnrichPerson:
    """A LinkedIn URL, an email address, or a name and behind a comma (or `at`) the company or its domain."""
    if "linkedin.com/" in line.lower() or line.lower().startswith(("http://", "https://")):
        return EnrichPerson(linkedin_url=line)
    if "@" in line:
        return EnrichPerson(email=line[:320])
    name, _, where = line.partition(",") if "," in line else line.partition(" at ")
    first, last = given_and_family(name)
    where = where.strip()[:200]
    if "." in where and " " not in where:
        return EnrichPerson(first_name=first[:200], last_name=last[:200], company_domain=where)
    return EnrichPerson(first_name=first[:200], last_name=last[:200], company_name=where or None)


def _some(found: list[Any], what: str) -> list[Any]:
    if 0 < len(found) <= MOST:
        return found
    raise ApiError("validation_error", f"Enter 1 to {MOST:,} {what}, or choose a CSV file that has as many.")


def _text(file: bytes) -> str:
    return file.decode("utf-8-sig", "replace")
