"""A list as a CSV file."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from addtocrm.core.cells import lines
from addtocrm.lists.model import Member

COLUMNS = (
    "linkedin_url",
    "full_name",
    "first_name",
    "last_name",
    "job_title",
    "email",
    "phone",
    "company_name",
    "company_domain",
    "city",
    "region",
    "country",
    "note",
    "added_at",
)


async def table(pages: AsyncIterator[Sequence[Member]]) -> AsyncIterator[bytes]:
    """CSV (RFC 4180) in UTF-8, a chunk a page; `importing` takes it back."""
    yield lines([COLUMNS])
    async for page in pages:
        yield lines(_row(one) for one in page)


def _row(member: Member) -> list[Any]:
    person = member.person
    company: Mapping[str, Any] = person.get("company") or {}
    place: Mapping[str, Any] = person.get("location") or {}
    phones: Sequence[Mapping[str, Any]] = person.get("phones") or ()
    flat = {
        **person,
        **place,
        "phone": person.get("phone") or (phones[0].get("number") if phones else None),
        "company_name": person.get("company_name") or company.get("name"),
        "company_domain": person.get("company_domain") or company.get("domain"),
        "note": member.note,
        "added_at": member.added_at,
    }
    return [flat.get(name) for name in COLUMNS]
