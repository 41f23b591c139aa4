"""addtocrm enrich"""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from cyclopts.types import ExistingFile
from cyclopts.validators import Number

from addtocrm.cli import files
from addtocrm.cli.files import Told, Work
from addtocrm.core.cells import cell
from addtocrm.core.errors import invalid
from addtocrm.core.records.parts import Location
from addtocrm.core.records.person import Person, PersonCompany
from addtocrm.jobs.model import JobResult
from addtocrm.lookups.columns import listed
from addtocrm.lookups.people import batch, rows
from addtocrm.lookups.people.model import EnrichPerson
from addtocrm.lookups.people.service import check_required


def enrich(
    file: ExistingFile,
    *,
    account: str | None = None,
    min_confidence: Annotated[float, Parameter(validator=Number(gte=0, lte=1))] = 0.0,
    required: str = "",
    linkedin_column: str | None = None,
    email_column: str | None = None,
    name_column: str | None = None,
    first_name_column: str | None = None,
    last_name_column: str | None = None,
    company_column: str | None = None,
    domain_column: str | None = None,
    output: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Enrich the people of a CSV file.

    Writes FILE.enriched.csv, the same rows with columns for what is known of each person.

    A person is looked up by the LinkedIn URL, else by the email address, else by the name and the company, whichever
    the row has first. Columns are recognized by their usual names; name them where yours are called something else.

    Each person costs a credit once in 30 days; nobody found is free. Start an interrupted run again: what is known
    already is not asked or paid again.

    Args:
        file: a CSV file, separated by commas, semicolons or tabs
        account: the account that pays; may be left out where there is only one
        min_confidence: from 0 to 1; a match that is less sure is not found, and free
        required: fields without which a person is not found, and free, such as email,phones
        linkedin_column: the column of the LinkedIn URLs
        email_column: the column of the email addresses
        name_column: the column of the full names
        first_name_column: the column of the first names
        last_name_column: the column of the last names
        company_column: the column of the company names
        domain_column: the column of the companies' domains or websites
        output: where to write
        json: one JSON document instead of text
    """
    fields = [name.strip() for name in required.split(",") if name.strip()]
    check_required(fields)
    named = {
        "linkedin": linkedin_column,
        "email": email_column,
        "name": name_column,
        "first-name": first_name_column,
        "last-name": last_name_column,
        "company": company_column,
        "domain": domain_column,
    }
    header = files.header(file)
    places = rows.places_of(header, named)
    if not rows.say_who(places):
        raise invalid(
            "FILE",
            f"no columns say who is meant; the file has {listed(header)}. Name the one of the LinkedIn URLs with "
            "--linkedin-column or of the email addresses with --email-column, or those of the names and companies.",
        )
    options = EnrichPerson(min_confidence=min_confidence, required=fields)

    def item(row: list[str]) -> EnrichPerson | None:
        who = rows.who(row, places)
        return msgspec.structs.replace(options, **who) if who else None

    work = Work("enrich", "enriched", RESULT_COLUMNS, item, batch.submit, _told, searches=True)
    return files.fill(file, work, account=account, output=output, json=json)


def _told(result: JobResult) -> Told:
    if result.data is not None:
        values = _fields(msgspec.convert(result.data, Person)).values()
        return Told("found", ["found", "", *map(cell, values)])
    error = files.failure(result)
    word = "not_found" if error.type == "not_found" else None
    return Told(word, [error.type, error.message, *[""] * (len(RESULT_COLUMNS) - 2)])


def _fields(person: Person) -> dict[str, Any]:
    """What the new columns have of a person."""
    company, location = person.company or PersonCompany(), person.location or Location()
    return {
        "full_name": person.full_name,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "headline": person.headline,
        "job_title": person.job_title,
        "seniority": person.seniority,
        "department": person.department,
        "company_name": company.name,
        "company_domain": company.domain,
        "company_industry": company.industry,
        "company_size": company.size,
        "email": person.email,
        "email_status": person.email_status,
        "phone": person.phones[0].number if person.phones else None,
        "linkedin_url": person.linkedin_url,
        "city": location.city,
        "region": location.region,
        "country": location.country,
        "confidence": person.confidence,
    }


RESULT_COLUMNS = tuple(f"enriched_{name}" for name in ("result", "reason", *_fields(Person(id=""))))
