"""Contacts as CSV and as vCards."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Literal

from addtocrm.core.cells import cell
from addtocrm.crm.model import Contact

Format = Literal["csv", "vcard"]
CONTENT_TYPE: dict[Format, str] = {"csv": "text/csv", "vcard": "text/vcard"}
SUFFIX: dict[Format, str] = {"csv": ".csv", "vcard": ".vcf"}

COLUMNS = tuple(name for name in Contact.__struct_fields__ if name != "custom_fields")
FOLD_OCTETS = 75


def header(format: Format) -> str:
    """What comes before the first contact."""
    return _rows([COLUMNS]) if format == "csv" else ""


def body(format: Format, contacts: Sequence[Contact]) -> str:
    """The contacts: rows of CSV (RFC 4180), or vCards 4.0 (RFC 6350)."""
    if format == "csv":
        return _rows([[cell(getattr(one, name)) for name in COLUMNS] for one in contacts])
    return "".join(vcard(one) for one in contacts)


def _rows(rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()


def vcard(contact: Contact) -> str:
    """One vCard 4.0 (RFC 6350), lines folded and ended with CRLF."""
    lines = [
        "BEGIN:VCARD",
        "VERSION:4.0",
        f"UID:{escape(contact.id)}",
        f"FN:{escape(contact.full_name or contact.email or contact.linkedin_url or contact.id)}",
    ]
    if contact.first_name or contact.last_name:
        lines.append(f"N:{escape(contact.last_name)};{escape(contact.first_name)};;;")
    emails = [contact.email, *contact.other_emails]
    phones = [contact.phone, *contact.other_phones]
    lines += [f"EMAIL:{escape(email)}" for email in emails if email]
    lines += [f"TEL:{escape(phone)}" for phone in phones if phone]
    if contact.company_name:
        department = f";{escape(contact.department)}" if contact.department else ""
        lines.append(f"ORG:{escape(contact.company_name)}{department}")
    if contact.job_title:
        lines.append(f"TITLE:{escape(contact.job_title)}")
    place = [contact.city, contact.region, None, contact.country]
    if any(place):
        lines.append("ADR:;;;" + ";".join(escape(part) for part in place))
    if contact.linkedin_url:
        lines.append(f"URL:{''.join(contact.linkedin_url.split())}")
    if contact.headline:
        lines.append(f"NOTE:{escape(contact.headline)}")
    if contact.skills:
        lines.append("CATEGORIES:" + ",".join(escape(skill) for skill in contact.skills))
    return "".join(fold(line) for line in [*lines, "END:VCARD"])


def escape(text: str | None) -> str:
    """A text value (RFC 6350 §3.4); control characters, which it has no form for, are left out."""
    escaped = re.sub(r"([\\,;])", r"\\\1", text or "")
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", re.sub(r"\r\n|\r|\n", r"\\n", escaped))


def fold(line: str) -> str:
    """The line in pieces of at most 75 octets that split no character (RFC 6350 §3.2), with its CRLF."""
    pieces = [""]
    size = 0
    for char in line:
        octets = len(char.encode())
        if size + octets > FOLD_OCTETS:
            pieces.append(" ")
            size = 1
        pieces[-1] += char
        size += octets
    return "\r\n".join(pieces) + "\r\n"
