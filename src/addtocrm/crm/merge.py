"""What a write changes in a record that is already there."""

from collections.abc import Mapping
from typing import Any, Literal

OnConflict = Literal["fill_empty", "overwrite", "skip"]

EMPLOYMENT = ("company_name", "company_domain", "company_id", "job_title", "seniority", "department")
"""What belongs to a contact's employment, beside addresses at the employer's domain (`of_employment`): it moves to
another employer together, or not at all."""
PLACE = ("city", "region", "country")
"""Where somebody is: `fill_empty` fills it together, or not at all."""
ADDRESSES = ("email", "other_emails")


def is_empty(value: Any) -> bool:
    """Whether a field with this value says nothing. 0 and False say something."""
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def writes(on_conflict: OnConflict, theirs: Any) -> bool:
    """Whether a value of ours is written where the record has `theirs`, which differs: `fill_empty` writes where the
    record is empty, `overwrite` everywhere, `skip` nowhere."""
    return on_conflict == "overwrite" or (on_conflict == "fill_empty" and is_empty(theirs))


def of_employment(values: Mapping[str, Any]) -> set[str]:
    """Those of a contact's fields that belong to the employment: EMPLOYMENT, and addresses at the company's domain."""
    domain = values.get("company_domain")
    at_work = {name for name in ADDRESSES if domain and any(_domain(one) == domain for one in _texts(values.get(name)))}
    return at_work.union(name for name in EMPLOYMENT if not is_empty(values.get(name)))


def left_behind(existing: Mapping[str, Any], incoming: Mapping[str, Any]) -> list[str]:
    """The fields that a contact loses who goes to the other employer of `incoming`: what `incoming` does not say of
    the employment. Addresses stay, for the contact is known by them."""
    return [name for name in EMPLOYMENT if not is_empty(existing.get(name)) and is_empty(incoming.get(name))]


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()
