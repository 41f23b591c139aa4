"""From what callers send to flat field values in their one normal form, and from records to contacts."""

from collections.abc import Callable, Mapping
from typing import Any

from addtocrm.core import identifiers
from addtocrm.core.errors import invalid
from addtocrm.crm.contract import CUSTOM
from addtocrm.crm.matching import Candidate
from addtocrm.crm.merge import is_empty
from addtocrm.crm.model import CompanyInput, Contact, CustomFields, LocationInput, PersonInput, PhoneInput

CONTACT_FIELDS = tuple(name for name in Contact.__struct_fields__ if name not in ("id", "url", "custom_fields"))
COMPANY_FIELDS = (
    "name",
    "domain",
    "website",
    "linkedin_url",
    "industry",
    "size",
    "employee_count",
    "founded_year",
    "type",
    "description",
    "phone",
    "city",
    "region",
    "country",
    "technologies",
    "owner",
)


PLACES = {
    **{name: f"location.{name}" for name in ("city", "region", "country")},
    "other_emails": "emails",
    "other_phones": "phones",
}
"""Where in a person or company of a request those of our names are that it does not have itself."""


def path_of(name: str, under: str) -> str:
    """Where in a request that is which we call `name`, whose person or company is at `under`."""
    if not under or not name or name == "owner" or name.startswith(CUSTOM):
        return name
    if name == "phone" and under.endswith("company"):
        return f"{under}.phones"
    return f"{under}.{PLACES.get(name, name)}"


def of_person(person: PersonInput, path: str = "person") -> dict[str, Any]:
    """The contact's values; empty ones are left out.

    Raises ApiError `validation_error` for a person without a name, LinkedIn URL or e-mail, and for one of these
    that is none.
    """
    company = person.company or CompanyInput()
    emails = _unique([person.email, *(one.email for one in person.emails or ())])
    phones = _unique([person.phone, *(one.number for one in person.phones or ())])
    names = " ".join(name.strip() for name in (person.first_name, person.last_name) if name)
    values = _filled(
        {
            "linkedin_url": _normal(f"{path}.linkedin_url", person.linkedin_url, identifiers.person_url),
            "email": _normal(f"{path}.email", emails[0] if emails else None, identifiers.email),
            "first_name": person.first_name,
            "last_name": person.last_name,
            "full_name": _text(person.full_name) or names,
            "headline": person.headline,
            "job_title": person.job_title,
            "seniority": person.seniority,
            "department": person.department,
            "phone": phones[0] if phones else None,
            "other_emails": _unique(_address(one) for one in emails[1:]),
            "other_phones": phones[1:],
            **_place(person.location),
            "company_name": _text(person.company_name) or company.name,
            "company_domain": _domain(path, person.company_domain, company),
            "skills": _unique(person.skills or ()),
        }
    )
    if not any(name in values for name in ("linkedin_url", "email", "full_name")):
        raise invalid(path, "needs a name, a `linkedin_url` or an `email`.")
    return values


def _domain(path: str, short: str | None, company: CompanyInput) -> str | None:
    if _text(short):
        return _normal(f"{path}.company_domain", short, identifiers.domain)
    return _normal(f"{path}.company.domain", company.domain, identifiers.domain)


def of_company(company: CompanyInput, path: str = "company") -> dict[str, Any]:
    """The company's values; empty ones are left out.

    Raises ApiError `validation_error` for a company without a name, domain or LinkedIn URL, and for one of these
    that is none.
    """
    values = company_values(company, path)
    if not any(name in values for name in ("name", "domain", "linkedin_url")):
        raise invalid(path, "needs a `name`, a `domain` or a `linkedin_url`.")
    return values


def company_values(company: CompanyInput, path: str) -> dict[str, Any]:
    """As `of_company`, where a company that says nothing is no error."""
    phones = _numbers(company.phones)
    return _filled(
        {
            "name": company.name,
            "domain": _normal(f"{path}.domain", company.domain, identifiers.domain),
            "website": company.website,
            "linkedin_url": _normal(f"{path}.linkedin_url", company.linkedin_url, identifiers.company_url),
            "industry": company.industry,
            "size": company.size,
            "employee_count": company.employee_count,
            "founded_year": company.founded_year,
            "type": company.type,
            "description": company.description,
            "phone": phones[0] if phones else None,
            **_place(company.location),
            "technologies": _unique(company.technologies or ()),
        }
    )


def company_of_person(person: PersonInput, company: CompanyInput | None) -> dict[str, Any]:
    """The values of the person's company: `company`'s where it says something, else the person's own."""
    own = company_values(person.company, "person.company") if person.company else {}
    short = {"name": person.company_name, "domain": _domain("person", person.company_domain, CompanyInput())}
    more = company_values(company, "company") if company else {}
    return {**own, **_filled(short), **more}


def of_custom(custom_fields: CustomFields) -> dict[str, Any]:
    """Custom fields as values; empty ones are left out."""
    return {CUSTOM + name: value for name, value in custom_fields.items() if not is_empty(value)}


def contact_of(one: Candidate) -> Contact:
    """A CRM's record as it is shown."""
    shown: dict[str, Any] = {name: one.values[name] for name in CONTACT_FIELDS if name in one.values}
    custom: Any = {name.removeprefix(CUSTOM): value for name, value in one.values.items() if name.startswith(CUSTOM)}
    return Contact(id=one.record.id, url=one.record.url, custom_fields=custom, **shown)


def linkedin_url(text: str) -> str:
    """The normal form of a query parameter. Raises ApiError."""
    normal = _normal("linkedin_url", text, identifiers.person_url)
    assert normal is not None
    return normal


def email(text: str) -> str:
    """The normal form of a query parameter. Raises ApiError."""
    normal = _normal("email", text, identifiers.email)
    assert normal is not None
    return normal


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    trimmed = {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
    return {name: value for name, value in trimmed.items() if not is_empty(value)}


def _text(text: str | None) -> str | None:
    return text.strip() or None if text else None


def _normal(path: str, text: str | None, normalise: Callable[[str], str]) -> str | None:
    if not _text(text):
        return None
    assert text is not None
    try:
        return normalise(text)
    except ValueError as error:
        raise invalid(path, str(error)) from None


def _unique(texts: Any) -> list[str]:
    """The texts trimmed, without empty and repeated ones (upper and lower case are one)."""
    found: dict[str, str] = {}
    for text in texts:
        if text and text.strip():
            found.setdefault(text.strip().casefold(), text.strip())
    return list(found.values())


def _address(text: str) -> str:
    """An address in its stored form; a text that is none stays as it is."""
    try:
        return identifiers.email(text)
    except ValueError:
        return text


def _numbers(phones: list[PhoneInput] | None) -> list[str]:
    return _unique(one.number for one in phones or ())


def _place(location: LocationInput | None) -> dict[str, str | None]:
    place = location or LocationInput()
    return {"city": place.city, "region": place.region, "country": place.country}
