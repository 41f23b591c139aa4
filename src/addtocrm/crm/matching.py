"""Which record of the CRM a person or a company is (docs/crm.md, "Who is the same")."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from addtocrm.core import identifiers
from addtocrm.core.individuals import same_name
from addtocrm.crm.contract import Kind, Record, Values

KEYS: dict[Kind, tuple[str, ...]] = {"contact": ("linkedin_url", "email"), "company": ("domain", "linkedin_url")}
"""What identifies one, the strongest first."""


class Choice(NamedTuple):
    """`record` is None where it is a new one; `taken` are fields that may not be written."""

    record: Record | None
    taken: frozenset[str]


def choose(kind: Kind, values: Values, candidates: Sequence[Record]) -> Choice:
    """The candidate that `values` describe; candidates come oldest first. Keys of another one are taken."""
    record = _by_key(kind, values, candidates) or _by_name(kind, values, candidates)
    others = [one for one in candidates if record is None or one.id != record.id]
    taken = {
        name
        for name in KEYS[kind]
        if (wanted := key(name, values)) and any(key(name, one.values) == wanted for one in others)
    }
    return Choice(record, frozenset(taken))


def _by_key(kind: Kind, values: Values, candidates: Sequence[Record]) -> Record | None:
    for position, name in enumerate(KEYS[kind]):
        wanted = key(name, values)
        stronger = KEYS[kind][:position]
        for one in candidates:
            if not wanted or key(name, one.values) != wanted or _contradicts(stronger, values, one.values):
                continue
            if name != "email" or same_name(name_key(kind, values), name_key(kind, one.values)):
                return one
    return None


def _by_name(kind: Kind, values: Values, candidates: Sequence[Record]) -> Record | None:
    names = KEYS[kind]
    same = [one for one in candidates if _same_name(kind, values, one.values)]
    nameless_company = kind == "contact" and not has_company(values)
    if len(same) == 1 and not nameless_company and not _contradicts(names, values, same[0].values):
        return same[0]
    if any(key(name, values) for name in names):
        return None
    return next((one for one in same if not any(key(name, one.values) for name in names)), None)


def _contradicts(names: Sequence[str], values: Values, there: Values) -> bool:
    return any((a := key(name, values)) and (b := key(name, there)) and a != b for name in names)


def _same_name(kind: Kind, values: Values, there: Values) -> bool:
    wanted = name_key(kind, values)
    if not wanted or name_key(kind, there) != wanted:
        return False
    return kind == "company" or _same_company(values, there)


def _same_company(values: Values, there: Values) -> bool:
    """The same domain, or the same name where not both domains are known. None at all is the same as none."""
    if not has_company(values) or not has_company(there):
        return has_company(values) == has_company(there)
    domains = (values.get("company_domain"), there.get("company_domain"))
    if all(domains):
        return domains[0] == domains[1]
    return bool(company_key(values)) and company_key(values) == company_key(there)


def elsewhere(values: Values, there: Values) -> bool:
    """Whether a contact's values name another employer than the record does."""
    return has_company(values) and has_company(there) and not _same_company(values, there)


def has_company(values: Values) -> bool:
    """Whether a contact's values say where the person works."""
    return bool(values.get("company_name") or values.get("company_domain"))


def key(name: str, values: Values) -> str:
    """The value of an identifying field as it is compared; "" where there is none."""
    value = str(values.get(name) or "")
    if name != "email" or not value:
        return value
    try:
        return identifiers.email_key(value)
    except ValueError:
        return value.lower()


def same_key(name: str, values: Values, there: Values) -> bool:
    """Whether both have the same value of an identifying field."""
    return bool(key(name, values)) and key(name, values) == key(name, there)


def name_key(kind: Kind, values: Values) -> str:
    """The name as it is compared; "" where there is none."""
    if kind == "company":
        return identifiers.company_key(str(values.get("name") or ""))
    return identifiers.name_key(str(values.get("full_name") or ""))


def company_key(values: Values) -> str:
    """The name of a contact's company as it is compared; "" where there is none."""
    return identifiers.company_key(str(values.get("company_name") or ""))


def locks(account_id: str, crm: str, kind: Kind, values: Values) -> list[int]:
    """Numbers (signed, 64 bits) of the advisory locks of everything that identifies `values`.

    Who writes a record holds the locks of all that it could be found by, so that the same one sent twice at once,
    by whichever key, is found by the second writer.
    """
    identities = [f"{name} {key(name, values)}" for name in KEYS[kind] if key(name, values)]
    if name := name_key(kind, values):
        company = [values.get("company_domain"), company_key(values)] if kind == "contact" else []
        identities += [f"name {name} {one}" for one in company if one] or [f"name {name}"]
    digests = [
        hashlib.blake2b(f"crm {account_id} {crm} {kind} {one}".encode(), digest_size=8).digest() for one in identities
    ]
    return [int.from_bytes(digest, signed=True) for digest in digests]
