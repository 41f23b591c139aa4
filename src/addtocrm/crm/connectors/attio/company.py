"""A contact's fields that are its company's, read with it."""

from collections.abc import Mapping

from addtocrm.crm.connectors.attio.answers import Row
from addtocrm.crm.connectors.attio.attributes import STANDARD
from addtocrm.crm.connectors.attio.values import read
from addtocrm.crm.contract import Field, Fields, Value

SLUGS: Mapping[str, str] = {"company.name": "name", "company.domain": "domains"}
FIELDS = (
    Field(name="company.name", label="Company name", type="text", writable=False),
    Field(name="company.domain", label="Company domains", type="list", writable=False),
)


def of_company(company: Row | None) -> dict[str, Value]:
    """The fields of a contact of this company, none without one."""
    held = read(STANDARD["company"], company) if company else {}
    return {name: held[slug] for name, slug in SLUGS.items() if slug in held}


def kept(before: Fields, after: Fields) -> dict[str, Value]:
    """Those of the contact as it was `before`, where it still has the same company `after`."""
    same = before.get("company") == after.get("company")
    return {name: before[name] for name in SLUGS if same and name in before}
