"""Which record of the CRM a person or a company is (docs/crm.md, "Who is the same")."""

import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from typing import Any, Literal, NamedTuple

from addtocrm.core import identifiers
from addtocrm.core.individuals import digest, same_name
from addtocrm.core.matching import companies
from addtocrm.core.matching.names import may_be_one, told_apart
from addtocrm.crm.contract import Record, Values
from addtocrm.crm.kinds import Among, Kind

By = Literal["contact_id", "linkedin_url", "email", "domain", "name"]
PERSON: tuple[By, ...] = ("linkedin_url", "email")
COMPANY: tuple[By, ...] = ("domain", "linkedin_url")
KEYS: dict[Kind, tuple[By, ...]] = {"contact": PERSON, "lead": PERSON, "company": COMPANY}
"""What identifies one, the strongest first."""
OTHERS = {
    "email": "other_emails",
    "phone": "other_phones",
    "domain": "other_domains",
    "company_domain": "other_company_domains",
}
"""Of what one may have several: where those after the first are."""

NAMES = ("full_name", "name", "company_name")
CUT, LEFT = "…", 30
"""What ends a text that was too long for a CRM's field, and how much of a name is left at least."""


class Candidate(NamedTuple):
    """A record of the CRM, and what it says by our names; `urls` are digests of the LinkedIn URLs that it was written
    by where it says none, `changing` its fields that the CRM was asked to change and did not say whether it did."""

    record: Record
    values: Values
    urls: Set[bytes] = frozenset()
    changing: Set[str] = frozenset()


class Choice(NamedTuple):
    """`found` is None where it is a new one, `by` what found it; `taken` are keys (see `keys`) that are another's."""

    found: Candidate | None
    by: By | None
    taken: frozenset[str]

    @property
    def there(self) -> Values:
        return self.found.values if self.found else {}


class Identity(NamedTuple):
    """Something that a record may be known by: what it is, and a digest of it."""

    name: By
    digest: bytes


def choose(kind: Kind, values: Values, candidates: Sequence[Candidate], by: Collection[str] | None = None) -> Choice:
    """The candidate that `values` describe; candidates come oldest first. Keys of another one are taken.

    `by`: only what is named there (keys, and `name`) may find one; None for all.
    """
    found, found_by = _by_key(kind, values, candidates, by) or _by_name(kind, values, candidates, by) or (None, None)
    return Choice(found, found_by, taken(kind, values, candidates, found))


def linked(kind: Kind, values: Values, candidate: Candidate, name: By) -> bool:
    """Whether the record that `values` were written to before, known by `name`, is still theirs."""
    stronger = KEYS[kind][: KEYS[kind].index(name)] if name in KEYS[kind] else KEYS[kind]
    if _contradicts(stronger, values, candidate.values):
        return False
    if name == "name" and (
        _employers_told_apart(values, candidate.values) or _is_of_another_url(kind, values, candidate)
    ):
        return False
    if name in ("email", "name"):
        return _may_be_one(kind, values, candidate.values)
    return not _contradicts((name,), values, candidate.values)


def is_ambiguous(kind: Kind, values: Values, candidate: Candidate, candidates: Sequence[Candidate]) -> bool:
    """Whether the name of `values` does not say that they are `candidate`: it has keys, and others are so called."""
    others = [one for one in candidates if one.record.id != candidate.record.id]
    return _is_keyed(kind, candidate) and any(_same_name(kind, values, one.values) for one in others)


def taken(kind: Kind, values: Values, candidates: Sequence[Candidate], found: Candidate | None) -> frozenset[str]:
    """The keys of `values` that are another candidate's."""
    others = [one for one in candidates if found is None or one.record.id != found.record.id]
    theirs = {one for name in KEYS[kind] for other in others for one in keys(name, other.values)}
    return frozenset(one for name in KEYS[kind] for one in keys(name, values) if one in theirs)


def is_decided(kind: Kind, values: Values, candidates: Sequence[Candidate]) -> bool:
    """Whether younger records of the same name than `candidates`, of which there may be some, would change nothing
    about whom a name finds: two are not one, and without keys it is the oldest that has none either."""
    same = namesakes(kind, values, candidates)
    if any(key(name, values) for name in KEYS[kind]):
        return len(same) > 1 or (kind != "company" and not has_company(values))
    return any(not _is_keyed(kind, one) for one in same)


def differing(kind: Kind, values: Values, candidate: Candidate) -> frozenset[str]:
    """The keys of `values` instead of which the candidate has others of its own; of addresses it may have many."""
    names = [name for name in KEYS[kind] if name != "email" and _contradicts((name,), values, candidate.values)]
    return frozenset(one for name in names for one in keys(name, values))


def namesakes(kind: Kind, values: Values, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those with the same name and company."""
    return [one for one in candidates if _same_name(kind, values, one.values)]


def made_of(kind: Kind, values: Values, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that a record made of `values` may be, also where the CRM has no place for what identifies them: their name
    and company are the same, and nothing contradicts."""
    same = namesakes(kind, values, candidates)
    return [one for one in same if not _contradicts(KEYS[kind], values, one.values)]


def without(kind: Kind, values: Values, taken: Collection[str]) -> dict[str, Any]:
    """`values` without keys that are another's."""
    left = {name: value for name, value in values.items() if name not in KEYS[kind] or key(name, values) not in taken}
    for name in KEYS[kind]:
        several = left.pop(OTHERS.get(name, ""), None)
        if isinstance(several, list):
            left |= {OTHERS[name]: [one for one in several if key(name, {name: one}) not in taken]}
    return left


def _by_key(
    kind: Kind, values: Values, candidates: Sequence[Candidate], by: Collection[str] | None
) -> tuple[Candidate, By] | None:
    for position, name in enumerate(KEYS[kind]):
        wanted = keys(name, values)
        stronger = KEYS[kind][:position]
        for one in candidates if by is None or name in by else ():
            if not wanted & keys(name, one.values) or _contradicts(stronger, values, one.values):
                continue
            if name != "email" or _may_be_one(kind, values, one.values):
                return one, name
    return None


def _by_name(
    kind: Kind, values: Values, candidates: Sequence[Candidate], by: Collection[str] | None
) -> tuple[Candidate, By] | None:
    if by is not None and "name" not in by:
        return None
    names = KEYS[kind]
    same = namesakes(kind, values, candidates)
    nameless_company = kind != "company" and not has_company(values)
    if (
        len(same) == 1
        and not nameless_company
        and not _contradicts(names, values, same[0].values)
        and not _is_of_another_url(kind, values, same[0])
    ):
        return same[0], "name"
    if any(key(name, values) for name in names):
        return None
    return next(((one, "name") for one in same if not _is_keyed(kind, one)), None)


def _is_keyed(kind: Kind, candidate: Candidate) -> bool:
    """Whether the record is known by more than its name."""
    return bool(candidate.urls) or any(key(name, candidate.values) for name in KEYS[kind])


def _is_of_another_url(kind: Kind, values: Values, candidate: Candidate) -> bool:
    """Whether the record was written by other LinkedIn URLs than that of `values`."""
    ours = {one.digest for one in identities(kind, values) if one.name == "linkedin_url"}
    return bool(ours and candidate.urls) and ours.isdisjoint(candidate.urls)


def _contradicts(names: Sequence[str], values: Values, there: Values) -> bool:
    pairs = ((_compared(name, values, there), _compared(name, there, values)) for name in names)
    return any(ours and theirs and ours.isdisjoint(theirs) for ours, theirs in pairs)


def _compared(name: str, values: Values, other: Values) -> Set[str]:
    """What of `values` is compared with `other`: of companies that do not both have a domain, the sites."""
    if name != "domain" or (values.get(name) and other.get(name)):
        return keys(name, values)
    return companies.company(None, *sorted(keys(name, values)), str(values.get("website") or "")).sites


def _uncut(values: Values, there: Values) -> Values:
    """What `there` says, with the names of `values` where it has as much of them as a CRM's field takes."""
    cut = [name for name in NAMES if _is_cut(str(values.get(name) or ""), str(there.get(name) or ""))]
    return {**there, **{name: values[name] for name in cut}} if cut else there


def _is_cut(whole: str, name: str) -> bool:
    *parts, end = name.split(CUT)
    # A first and a last name are cut each for itself.
    if not 1 <= len(parts) <= 2 or any(len(part) < LEFT for part in parts):
        return False
    return re.fullmatch(".*".join(map(re.escape, (*parts, end))), whole, re.DOTALL | re.IGNORECASE) is not None


def _same_name(kind: Kind, values: Values, there: Values) -> bool:
    there = _uncut(values, there)
    wanted = name_key(kind, values)
    if not wanted or name_key(kind, there) != wanted or _names_told_apart(kind, values, there):
        return False
    return kind == "company" or _same_company(values, there)


def _names_told_apart(kind: Kind, values: Values, there: Values) -> bool:
    """Whether names that have one key are two, as those in other Han characters are."""
    field, are_two = ("name", companies.told_apart) if kind == "company" else ("full_name", told_apart)
    return are_two(*(str(one.get(field) or "") for one in (values, there)))


def _employers_told_apart(values: Values, there: Values) -> bool:
    """Whether the companies of two people are two though their names have one key, and no domain says that they are
    one."""
    ours, theirs = keys("company_domain", values), keys("company_domain", there)
    return ours.isdisjoint(theirs) and companies.told_apart(
        *(str(one.get("company_name") or "") for one in (values, there))
    )


def _may_be_one(kind: Kind, values: Values, there: Values) -> bool:
    """Whether the names of two that share something else speak for one."""
    there = _uncut(values, there)
    if kind == "company":
        return same_name(name_key(kind, values), name_key(kind, there)) and not _names_told_apart(kind, values, there)
    return may_be_one(*(str(one.get("full_name") or "") for one in (values, there)))


def _same_company(values: Values, there: Values) -> bool:
    """The same domain, or the same name where not both domains are known. None at all is the same as none."""
    if not has_company(values) or not has_company(there):
        return has_company(values) == has_company(there)
    ours, theirs = keys("company_domain", values), keys("company_domain", there)
    if ours and theirs:
        return not ours.isdisjoint(theirs)
    if _employers_told_apart(values, there):
        return False
    return bool(company_key(values)) and company_key(values) == company_key(there)


def elsewhere(values: Values, there: Values) -> bool:
    """Whether a contact's values name another employer than the record does. Who is found by name and employer is asked
    more strictly: there the domains and the names' keys, which are searched and locked by, must be the same."""
    there = _uncut(values, there)
    if not has_company(values) or not has_company(there):
        return False
    return not _same_company(values, there) and companies.compare(_employer(values), _employer(there)) is None


def _employer(values: Values) -> companies.Company:
    return companies.company(str(values.get("company_name") or ""), *sorted(keys("company_domain", values)))


def has_company(values: Values) -> bool:
    """Whether a contact's values say where the person works."""
    return bool(values.get("company_name") or values.get("company_domain"))


def key(name: str, values: Values) -> str:
    """The value of an identifying field as it is compared; "" where there is none. A company without a domain has its
    website's."""
    value = str(values.get(name) or "")
    if name == "domain" and not value:
        return _own_domain(str(values.get("website") or ""))
    return _email_key(value) if name == "email" and value else value


def keys(name: str, values: Values) -> set[str]:
    """As `key`, with a person's other email addresses, and a company's other domains."""
    others = values.get(OTHERS.get(name, ""))
    several = [{name: one} for one in others] if isinstance(others, list) else []
    return {key(name, one) for one in (values, *several)} - {""}


def _own_domain(website: str) -> str:
    try:
        return companies.own_domain(website)
    except ValueError:
        return ""


def _email_key(text: str) -> str:
    try:
        return identifiers.email_key(text)
    except ValueError:
        return text.lower()


def same_key(name: str, values: Values, there: Values) -> bool:
    """Whether both have the same value of an identifying field."""
    return bool(key(name, values)) and key(name, values) in keys(name, there)


def name_key(kind: Kind, values: Values) -> str:
    """The name as it is compared; "" where there is none."""
    if kind == "company":
        return identifiers.company_key(str(values.get("name") or ""))
    return identifiers.name_key(str(values.get("full_name") or ""))


def company_key(values: Values) -> str:
    """The name of a contact's company as it is compared; "" where there is none."""
    return identifiers.company_key(str(values.get("company_name") or ""))


def identities(kind: Kind, values: Values) -> list[Identity]:
    """All that a record with `values` could be found by. Those of a person by a key have the digests by which a person
    is forgotten (`individuals.digest`)."""
    prefix: Mapping[str, str] = {"linkedin_url": "linkedin", "email": "email"} if kind != "company" else {}
    found = [
        Identity(name, digest(f"{prefix.get(name, f'{kind} {name}')}:{one}"))
        for name in KEYS[kind]
        for one in sorted(keys(name, values))
    ]
    if name := name_key(kind, values):
        company = [values.get("company_domain"), company_key(values)] if kind != "company" else []
        places = [one for one in company if one] or [""]
        found += [Identity("name", digest(f"{among(kind)} name {name} {one}")) for one in places]
    return found


def among(kind: Kind) -> Among:
    """What a record of `kind` is looked for among: of a lead, contacts, which are all people."""
    return "company" if kind == "company" else "contact"


def locks(crm: str, account_id: str, kind: Kind, values: Values) -> list[int]:
    """Numbers (signed, 64 bits) of the locks of everything that identifies `values` in the CRM's own account.

    Who writes a record holds the locks of all that it could be found by, so that the same one sent twice at once,
    by whichever key, is found by the second writer.
    """
    start = f"crm {crm} {account_id} {among(kind)} ".encode()
    return [_number(start + one.digest) for one in identities(kind, values)]


def list_lock(crm: str, account_id: str, name: str) -> int:
    """As `locks`, of a list by its name."""
    return _number(f"crm {crm} {account_id} list {name.casefold()}".encode())


def _number(text: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), signed=True)


def rounds(items: Sequence[Any], known_by: Callable[[Any], Collection[Any]]) -> list[list[Any]]:
    """The items in as few groups as may be, in which no two share what they are `known_by`; order is kept among those
    that do."""
    groups: list[list[Any]] = []
    seen: dict[Any, int] = {}
    for item in items:
        names = set(known_by(item))
        place = max((seen[name] + 1 for name in names if name in seen), default=0)
        if place == len(groups):
            groups.append([])
        groups[place].append(item)
        seen |= dict.fromkeys(names, place)
    return groups
