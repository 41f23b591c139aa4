"""Who is meant by what people paste or upload."""

import io
from collections.abc import Callable
from typing import Any

import msgspec

from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.matching.names import given_and_family
from addtocrm.lookups import columns
from addtocrm.lookups.emails.model import EMAIL_COLUMNS, LONGEST, VerifyEmail
from addtocrm.lookups.people import rows, service
from addtocrm.lookups.people.model import EnrichPerson
from addtocrm.sources.dataset.text import opened, storable

MOST = 10_000
PEOPLE = "of LinkedIn URLs or emails, or columns of names and companies"
ADDRESSES = "of emails"


class Pasted(msgspec.Struct, frozen=True):
    """A field of lines, beside which a file may come."""

    lines: str = ""
    refresh: bool = False


def people_of(text: str, file: bytes | None) -> list[EnrichPerson]:
    """Who is meant by each line of the text and each row of the file, which has columns that say so, or else lines as
    the text has them. Raises ApiError for none, for too many, and for a file of which neither is true."""
    found = [asked_of(line) for line in lines_of(text)]
    if file:
        read = columns.table_of(file)
        places = rows.places_of(read.header)
        if rows.say_who(places):
            given = (rows.who(row.values, places) for row in columns.rows(read.rows, MOST))
            found += [msgspec.convert(who, EnrichPerson) for who in given if who]
        else:
            found += [asked_of(line) for line in _bare_lines(file, read.header, _says_who, PEOPLE)]
    return _some(found, "people, each on a line of its own")


def addresses_of(text: str, file: bytes | None) -> list[VerifyEmail]:
    """The address on each line of the text and in each row of the file, which has a column of them, or else nothing
    more. Raises ApiError for none, for too many, and for a file of which neither is true."""
    found = lines_of(text)
    if file:
        read = columns.table_of(file)
        place = columns.place(read.header, "file", None, EMAIL_COLUMNS)
        if place is None:
            found += _bare_lines(file, read.header, lambda line: "@" in line, ADDRESSES)
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


def _bare_lines(file: bytes, header: list[str], says: Callable[[str], bool], wanted: str) -> list[str]:
    """The lines of a file without a column that is known. Raises ApiError where it is no text, and where the first line
    has columns and does not say itself what is asked for."""
    text = opened(io.BufferedReader(io.BytesIO(file)), newline="").read()  # type: ignore[arg-type]
    if "\0" in text or text != storable(text):
        raise invalid("file", f"is not text. Save it as CSV, with a column {wanted}, and send that.")
    found = lines_of(text)
    if found and len(header) > 1 and not says(found[0]):
        raise invalid("file", f"has no column {wanted}. Its columns are: {columns.listed(header)[:500]}.")
    return found


def _says_who(line: str) -> bool:
    try:
        service.query_of(asked_of(line))
    except ApiError:
        return False
    return True
