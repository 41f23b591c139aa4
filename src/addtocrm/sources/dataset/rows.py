"""From a row's fields to what the tables have: pure functions, and the rules of what is refused."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

from addtocrm.core import countries, identifiers
from addtocrm.core.matching import companies
from addtocrm.core.matching.han import han, heard
from addtocrm.core.matching.hosts import NOBODYS
from addtocrm.sources.dataset import columns
from addtocrm.sources.dataset.model import RefusedError, Row
from addtocrm.sources.dataset.same_sound import by_name

LONGEST = 10_000
MOST_COUNTED = 10**12
LARGEST = 2**64
SURROGATE = re.compile("[\ud800-\udfff]")
Known = tuple[tuple[str, tuple[str, ...]], ...]
PEOPLE: Known = tuple(columns.PEOPLE.items())
PEOPLE_EMAILS = columns.PEOPLE["email"]
FORMER_URLS = columns.PEOPLE["former_linkedin_urls"]
COMPANIES: Known = tuple(columns.COMPANIES.items())


def person(fields: Mapping[str, Any]) -> Row:
    """A person's row, with the keys (email as `identifiers.email_key`, name_key, company_domain, company_key).

    Raises RefusedError for a URL, address or domain that is none (the row cannot be trusted then), and where
    nothing says who it is.
    """
    get = _reader(fields, PEOPLE)
    url = _checked("linkedin_url", get("linkedin_url"), identifiers.person_url)
    email = _checked("email", get("email"), identifiers.email)
    email_key = identifiers.email_key(email) if email else None
    addresses = [email, *_others(fields, PEOPLE_EMAILS, email_key, identifiers.email_key)] if email else []
    former = _others(fields, FORMER_URLS, url, identifiers.person_url) if url else []
    domain = _domain("company_domain", get("company_domain"))
    if domain in NOBODYS:
        domain = None
    company_url = _checked("company_linkedin_url", get("company_linkedin_url"), identifiers.company_url)
    first, last, company_name = get("first_name"), get("last_name"), get("company_name")
    full = get("full_name") or " ".join(part for part in (first, last) if part) or None
    # A name in its own script is shown; the parts in Latin letters are what a caller can type.
    name_key = identifiers.name_key(f"{first} {last}" if first and last else full or "") or None
    # Han names that sound the same are not the same.
    who = heard(name_key or "", han(full or ""))
    company_key = (identifiers.company_key(company_name) or None) if company_name else None
    if url:
        identity = "in:" + url.rpartition("/")[2]
    elif email_key:
        identity = f"em:{email_key}|{who}" if who else f"em:{email_key}"
    elif who and (place := domain or by_name(company_key, company_name)):
        identity = f"nc:{who}|{place}"
    elif who:
        raise RefusedError("a name alone does not say who it is; add a company, an email or a LinkedIn URL")
    else:
        raise RefusedError("neither a LinkedIn URL nor an email nor a name")
    data: dict[str, Any] = {
        "linkedin_url": url,
        "former_linkedin_urls": former or None,
        "first_name": first,
        "last_name": last,
        "full_name": full,
        "headline": get("headline"),
        "job_title": get("job_title"),
        "seniority": get("seniority"),
        "department": get("department"),
        "email": email,
        "emails": [{"email": one} for one in addresses] or None,
        "phones": [{"number": phone}] if (phone := get("phone")) else None,
        "location": _location(get("city"), get("region"), get("country")),
        "company": _known(
            {
                "name": company_name,
                "domain": domain,
                "linkedin_url": company_url,
                "industry": get("industry"),
                "size": get("company_size"),
            }
        ),
        "skills": _list("skills", fields.get("skills")),
        "experience": _history(fields.get("experience"), _job),
        "education": _history(fields.get("education"), _school),
    }
    return Row(identity, (email_key, name_key, domain, company_key), _known(data) or {})


def company(fields: Mapping[str, Any]) -> Row:
    """A company's row, with the keys (domain, linkedin_url, name_key). Raises RefusedError as `person` does."""
    get = _reader(fields, COMPANIES)
    domain = _domain("domain", get("domain"))
    url = _checked("linkedin_url", get("linkedin_url"), identifiers.company_url)
    name = get("name")
    name_key = (identifiers.company_key(name) or None) if name else None
    if domain:
        identity = "do:" + domain
    elif url:
        identity = "in:" + "/".join(url.split("/")[-2:])
    elif name_key:
        identity = f"na:{by_name(name_key, name)}"
    else:
        raise RefusedError("neither a domain nor a LinkedIn URL nor a name")
    nested = fields.get("location")
    place = cast(dict[str, Any], nested) if isinstance(nested, dict) else {}
    data: dict[str, Any] = {
        "name": name,
        "domain": domain,
        "website": get("website"),
        "linkedin_url": url,
        "industry": get("industry"),
        "size": get("size"),
        "employee_count": _number("employee_count", get("employee_count")),
        "founded_year": _number("founded_year", get("founded_year")),
        "type": get("type"),
        "description": get("description"),
        "location": _location(
            get("city") or _text("locality", place.get("locality")),
            get("region") or _text("region", place.get("region")),
            get("country") or _text("country", place.get("country")),
        ),
        "phones": [{"number": phone}] if (phone := get("phone")) else None,
        "technologies": _list("technologies", fields.get("technologies", fields.get("tags"))),
    }
    return Row(identity, (domain, url, name_key), _known(data) or {})


def _reader(fields: Mapping[str, Any], known: Known) -> Callable[[str], str | None]:
    there = _there(known, tuple(fields))

    def get(field: str) -> str | None:
        for name in there.get(field, ()):
            if text := _text(name, fields[name]):
                return text
        return None

    return get


@lru_cache(maxsize=1024)
def _there(known: Known, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The columns for each field of a row that has the columns `names`: mostly those of the row before."""
    columns_of = {field: tuple(name for name in columns if name in names) for field, columns in known}
    return {field: columns for field, columns in columns_of.items() if columns}


def _text(name: str, value: Any) -> str | None:
    """A field as trimmed text: of a list its first entry, of an e-mail or phone object its address or number."""
    if isinstance(value, str):
        text = value.strip()
        if len(text) > LONGEST:
            raise RefusedError(f"{name} is longer than {LONGEST} characters")
        if "\0" in text or (not text.isascii() and SURROGATE.search(text)):
            raise RefusedError(f"{name} holds a character that cannot be stored")
        return text or None
    if isinstance(value, list):
        entries = cast(list[Any], value)
        return _text(name, entries[0]) if entries else None
    if isinstance(value, dict):
        entry = cast(dict[str, Any], value)
        return _text(name, entry.get("address") or entry.get("number") or entry.get("name"))
    if isinstance(value, bytes):
        return _text(name, value.decode("utf-8", "surrogateescape"))
    if value is None or isinstance(value, bool):
        return None  # People Data Labs writes `true` where a field is there but not part of the plan.
    if isinstance(value, int | float | Decimal):
        return _digits(name, Decimal(str(value)) if isinstance(value, float) else Decimal(value))
    if isinstance(value, date | time):
        return value.isoformat()
    raise RefusedError(f"{name} is neither text nor a number or date")


def _digits(name: str, number: Decimal) -> str | None:
    """A number as people write it, without zeros after its fraction; NaN and infinity are none."""
    if not number.is_finite():
        return None
    if abs(number) >= LARGEST:
        raise RefusedError(f"{name} is too large a number")
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _checked(name: str, text: str | None, normal: Callable[[str], str]) -> str | None:
    if text is None:
        return None
    try:
        return normal(text)
    except ValueError as error:
        raise RefusedError(f"{name} {error}".rstrip(".")) from None


def _domain(name: str, text: str | None) -> str | None:
    """A domain; of a page at a host that many share, none."""
    domain = _checked(name, text, identifiers.domain)
    return None if text and domain and companies.is_page(text, domain) else domain


def _others(
    fields: Mapping[str, Any], names: Sequence[str], main: str | None, normal: Callable[[str], str]
) -> list[str]:
    """What else the columns `names` have of a person's addresses or URLs, in the form that they are found by; what is
    none is left out."""
    found: dict[str, None] = {}
    for name in names:
        value = fields.get(name)
        for entry in cast(list[Any], value) if isinstance(value, list) else str(value or "").split(";"):
            profile = cast(dict[str, Any], entry) if isinstance(entry, dict) else {}
            try:
                found[normal(_text(name, profile.get("url") or entry) or "")] = None
            except ValueError:
                continue
    return [one for one in found if one != main]


def _number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        number = int(float(text.replace(",", "")))
    except (ValueError, OverflowError):
        raise RefusedError(f"{name} is no number") from None
    if not 0 <= number < MOST_COUNTED:
        raise RefusedError(f"{name} cannot be {text}")
    return number


def _list(name: str, value: Any) -> list[str] | None:
    if not value:
        return None
    entries = cast(list[Any], value) if isinstance(value, list) else (_text(name, value) or "").split(";")
    found = [text for one in entries if (text := _text(name, one))]
    return list(dict.fromkeys(found)) or None


def _known(data: dict[str, Any]) -> dict[str, Any] | None:
    return {name: value for name, value in data.items() if value is not None} or None


def _location(city: str | None, region: str | None, country: str | None) -> dict[str, Any] | None:
    if not (city or region or country):
        return None
    name, code = countries.country(country) if country else (None, None)
    return {"city": city, "region": region, "country": name, "country_code": code}


def _history(value: Any, read: Callable[[dict[str, Any]], dict[str, Any]]) -> list[dict[str, Any]] | None:
    if not value:
        return None
    entries = cast(list[Any], value) if isinstance(value, list) else []
    return [read(cast(dict[str, Any], one)) for one in entries if isinstance(one, dict)] or None


def _job(entry: dict[str, Any]) -> dict[str, Any]:
    employer = entry.get("company")
    website = cast(dict[str, Any], employer).get("website") if isinstance(employer, dict) else None
    return {
        "title": _text("title", entry.get("title")),
        "company_name": _text("company", employer),
        "company_domain": _text("website", website),
        "start_date": _text("start_date", entry.get("start_date")),
        "end_date": _text("end_date", entry.get("end_date")),
        "is_current": entry.get("end_date") is None if entry.get("start_date") else None,
    }


def _school(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "school": _text("school", entry.get("school")),
        "degree": _text("degree", entry.get("degrees", entry.get("degree"))),
        "field": _text("field", entry.get("majors", entry.get("field"))),
        "start_date": _text("start_date", entry.get("start_date")),
        "end_date": _text("end_date", entry.get("end_date")),
    }
